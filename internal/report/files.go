package report

// Files of a run directory.
const (
	ConfigFile       = "config.yaml"         // the complete configuration
	DensityFile      = "dos.csv"             // ln g
	ArchiveFile      = "dos.npz"             // the same for NumPy
	HistogramFile    = "dos_histogram.csv"   // the part of it that visits alone say
	TransitionsFile  = "dos_transitions.csv" // the part that transitions between levels alone say
	BridgeFile       = "bridge.csv"          // the part of the network's draws, by window of levels
	ObservablesFile  = "observables.csv"     // canonical averages over the temperature
	TemperaturesFile = "temperatures.csv"    // a network's draws by temperature
	OrderFile        = "order.csv"           // microcanonical means of the order parameter
	ProposalsFile    = "proposals.csv"       // the network's proposals by energy
	PageFile         = "report.html"         // all of it for people
	SummaryFile      = "summary.json"        // Summary
	EventsFile       = "events.jsonl"        // the run's log, a JSON object per line
	SwapsFile        = "swaps.jsonl"         // exchanges of the network, a Swap per line; none without
)
