package grafana

// rate is the rate of a counter, summed over all labels but some.
func rate(series, by string) string {
	return "sum by (" + by + ") (rate(" + series + "[$__rate_interval]))"
}

// overview shows all runs of a daemon, and the daemon itself.
func overview() *page {
	p := newPage("nwl-overview", "neuralwl: runs", "All runs under way, the queue, and the daemon's interface.")
	p.row("Now")
	for _, n := range []panel{
		show(3, "Running", "Runs under way.", "", query{`sum(nwl_runs{state="running"})`, "running"}),
		show(3, "Slots", "Runs that may go on side by side.", "", query{`sum(nwl_job_slots)`, "slots"}),
		show(3, "Waiting", "Runs in the queue.", "", query{`sum(nwl_queue_length)`, "waiting"}),
		show(3, "Longest wait", "Of the first run in the queue.", "s", query{`max(nwl_queue_wait_seconds)`, "wait"}),
		show(3, "Failed", "Runs on record that failed.", "", query{`sum(nwl_runs{state="failed"})`, "failed"}),
		show(3, "Alerts", "That fire now.", "", query{`count(ALERTS{alertstate="firing"}) or vector(0)`, "alerts"}),
		show(3, "Free on disk", "On the disk with the data folder.", "bytes", query{`min(nwl_data_free_bytes)`, "free"}),
		show(3, "Daemons", "That answer Prometheus.", "", query{`sum(up{job="nwl"})`, "up"}),
	} {
		p.number(n)
	}
	p.row("Runs")
	p.list(panel{title: "Runs", about: "Runs under way, and those that ended in the last minutes. Times left are guesses for the present phase.", width: 24, queries: []query{
		{`max by (run, system, method, architecture) (nwl_run_info)`, ""},
		{`max by (run, phase) (nwl_phase == 1)`, ""},
		{`max by (run, result) (nwl_run_end_info)`, ""},
		{`100 * max by (run) (nwl_phase_done_ratio)`, "done, %"},
		{`max by (run) (nwl_phase_left_seconds)`, "left, s"},
		{`max by (run) (nwl_levels_seen)`, "levels seen"},
		{`max by (run) (nwl_flatness_ratio)`, "flatness"},
		{rate("nwl_round_trips_total", "run"), "round trips per s"},
		{`time() - max by (run) (nwl_run_heard_timestamp_seconds)`, "silent for, s"},
	}}, "run")
	for _, g := range []panel{
		show(12, "Phase done", "Share of the phase that is done, a guess.", "percentunit", query{`max by (run) (nwl_phase_done_ratio)`, "{{run}}"}).share(),
		show(12, "Round trips per second", "Independent traversals of the energies, the measure of progress.", "", query{rate("nwl_round_trips_total", "run"), "{{run}}"}),
		show(12, "Passes per second", "", "", query{rate("nwl_passes_total", "run"), "{{run}}"}),
		show(12, "Memory", "Resident size of the processes of runs and of the daemon.", "bytes", query{`max by (run) (nwl_run_resident_memory_bytes)`, "{{run}}"}, query{`process_resident_memory_bytes{job="nwl"}`, "daemon {{instance}}"}).stack(),
	} {
		p.graph(g)
	}
	p.row("Queue and workers")
	for _, g := range []panel{
		show(8, "Runs by state", "", "", query{`sum by (state) (nwl_runs)`, "{{state}}"}).stack(),
		show(8, "Losses", "Runs taken up after their process was lost, leases that silent workers lost, and faults of the queue, within ten minutes.", "", query{`sum(increase(nwl_run_restarts_total[10m]))`, "restarts"}, query{`sum(increase(nwl_leases_lost_total[10m]))`, "leases lost"}, query{`sum(increase(nwl_queue_faults_total[10m]))`, "faults of the queue"}),
		show(8, "Waiting", "", "", query{`sum(nwl_queue_length)`, "runs"}),
		show(8, "Cores in use", "Of workers and the processes of their runs.", "", query{rate("nwl_worker_cpu_seconds_total", "worker, process"), "{{worker}} {{process}}"}).stack(),
		show(8, "Memory of workers", "Resident, with the processes of their runs.", "bytes", query{`max by (worker, process) (nwl_worker_resident_memory_bytes)`, "{{worker}} {{process}}"}).stack(),
		show(8, "Leases that could not be renewed", "Attempts within ten minutes; a run goes to another worker if none succeeds for the queue's silence.", "", query{`sum by (worker, process) (increase(nwl_worker_lease_renewals_missed_total[10m]))`, "{{worker}} {{process}}"}),
	} {
		p.graph(g)
	}
	p.list(panel{title: "Workers", about: "Processes that perform runs, heard of lately.", width: 24, queries: []query{
		{`max by (worker, process, version) (nwl_worker_info)`, ""},
		{`max by (process) (nwl_worker_runs)`, "runs"},
		{`max by (process) (nwl_worker_job_slots)`, "slots"},
		{`max by (process) (nwl_worker_draining)`, "draining"},
		{rate("nwl_worker_lease_renewals_total", "process"), "renewals per s"},
		{`time() - max by (process) (nwl_worker_last_heard_timestamp_seconds)`, "silent for, s"},
	}}, "process")
	p.row("Networks served to other programs")
	for _, g := range []panel{
		show(8, "Requests per second", "By network and result.", "reqps", query{rate("nwl_model_requests_total", "network, version, graph, result"), "{{network}}/{{version}} {{graph}} {{result}}"}),
		show(8, "Rows per evaluation", "Configurations of requests that came at the same time.", "", query{rate("nwl_model_rows_total", "network, graph") + " / " + rate("nwl_model_evaluations_total", "network, graph"), "{{network}} {{graph}}"}),
		show(8, "Time of a request", "The mean, by what it was spent on.", "s", query{rate("nwl_model_seconds_total", "activity") + ` / ignoring (activity) group_left sum(rate(nwl_model_requests_total{result="succeeded"}[$__rate_interval]))`, "{{activity}}"}).onLog(),
	} {
		p.graph(g)
	}
	p.row("Interface")
	for _, g := range []panel{
		show(8, "Requests per second", "By what they asked for and the status.", "reqps", query{rate("nwl_http_requests_total", "route, code"), "{{route}} {{code}}"}),
		show(8, "Time of requests", "95 % are faster.", "s", query{`histogram_quantile(0.95, ` + rate("nwl_http_request_duration_seconds_bucket", "le, route") + `)`, "{{route}}"}).onLog(),
		show(8, "Open streams", "Of events and logs.", "", query{`sum(nwl_http_streams)`, "open"}, query{`sum(increase(nwl_http_streams_refused_total[10m]))`, "refused within 10 min"}),
	} {
		p.graph(g)
	}
	return p
}

// marks are the changes of a run: its phases and its networks.
func (p *page) marks(of string) {
	// A series that is there and was not a step before has changed.
	p.mark("phases", "blue", `(nwl_phase{`+of+`} == 1) unless (nwl_phase{`+of+`} offset `+step+` == 1)`, "{{run}}: {{phase}}")
	p.mark("networks", "orange", `nwl_network_swaps_total{`+of+`} > nwl_network_swaps_total{`+of+`} offset `+step, "{{run}}: exchange of the network {{result}}")
}

// run shows one run.
func run() *page {
	const of = `run="$run"`
	p := newPage("nwl-run", "neuralwl: one run", "How one run converges, and what its moves, network and process do.", variable("run", "Run", "nwl_run_info", false))
	p.marks(of)
	for _, n := range []panel{
		show(3, "Phase", "", asText, query{`nwl_phase{` + of + `} == 1`, "{{phase}}"}),
		show(5, "System", "", asText, query{`nwl_run_info{` + of + `}`, "{{system}}, seed {{seed}}"}),
		show(4, "Method", "", asText, query{`nwl_run_info{` + of + `}`, "{{method}} {{version}}"}),
		show(3, "Done", "Share of the phase, a guess.", "percentunit", query{`nwl_phase_done_ratio{` + of + `}`, "done"}),
		show(3, "Left", "To the end of the phase, a guess; in the last hour the latest one there was.", "s", query{`last_over_time(nwl_phase_left_seconds{` + of + `}[1h])`, "left"}),
		show(3, "Verdict", "Once the run has ended.", asText, query{`nwl_run_end_info{` + of + `}`, "{{result}}"}),
		show(3, "Checkpoint", "Age of the latest.", "s", query{`time() - nwl_checkpoint_timestamp_seconds{` + of + `}`, "age"}),
	} {
		p.number(n)
	}
	p.row("Convergence")
	for _, g := range []panel{
		show(8, "ln f", "Modification factor of Wang-Landau sampling, height of the highest hill in metadynamics; else 0, and not shown.", "", query{`nwl_ln_f{` + of + `} > 0`, "ln f"}, query{`nwl_window_ln_f{` + of + `} > 0`, "window {{window}}"}).onLog(),
		show(8, "Flatness", "Visits to the least visited level over the mean of all.", "", query{`nwl_flatness_ratio{` + of + `}`, "flatness"}, query{`nwl_window_flatness_ratio{` + of + `}`, "window {{window}}"}).share(),
		show(8, "Levels", "Energy levels visited, and all that there are where that is known.", "", query{`nwl_levels_seen{` + of + `}`, "seen"}, query{`nwl_levels_known{` + of + `}`, "known"}),
		show(8, "Round trips per second", "Of all walkers.", "", query{rate(`nwl_round_trips_total{`+of+`}`, "phase"), "{{phase}}"}),
		show(8, "Error of ln g", "Root mean square over the levels seen, where the exact ln g is known.", "", query{`nwl_ln_g_error_nats{` + of + `}`, "error"}).onLog(),
		show(8, "Passes per second", "", "", query{rate(`nwl_passes_total{`+of+`}`, "phase"), "{{phase}}"}),
	} {
		p.graph(g)
	}
	p.row("Moves")
	for _, g := range []panel{
		show(8, "Acceptance", "Share of the trials of a kind of move. The heat bath accepts all.", "percentunit", query{rate(`nwl_trials_accepted_total{`+of+`}`, "move") + ` / ` + rate(`nwl_trials_total{`+of+`}`, "move"), "{{move}}"}).share(),
		show(8, "Acceptance by region", "Of the network's proposals, for states of the ordered phase, of the coexistence and of the disordered phase, in the present phase of the run.", "percentunit", query{`nwl_region_acceptance_ratio{` + of + `}`, "{{region}}"}),
		show(8, "Sites changed by region", "Share of the sites that an accepted proposal changes, the mean.", "percentunit", query{`nwl_region_changed_ratio{` + of + `}`, "{{region}}"}),
		show(12, "Trials per second", "", "", query{rate(`nwl_trials_total{`+of+`}`, "move"), "{{move}}"}).onLog(),
		show(12, "Time of activities", "Share of the run's time; the rest is the measurement, checkpoints and results.", "percentunit", query{rate(`nwl_activity_seconds_total{`+of+`}`, "activity"), "{{activity}}"}, query{`rate(nwl_training_seconds_total{` + of + `}[$__rate_interval])`, "training"}).stack(),
	} {
		p.graph(g)
	}
	p.row("Network")
	p.number(show(6, "In use", "Name and version.", asText, query{`nwl_run_network_info{` + of + `}`, "{{network}}, version {{version}}"}))
	p.number(show(6, "Architecture", "And what evaluates it.", asText, query{`nwl_run_info{` + of + `}`, "{{architecture}} on {{provider}}"}))
	p.number(show(6, "Exchanges", "Since the run's process began.", "", query{`nwl_network_swaps_total{` + of + `}`, "{{result}}"}))
	p.number(show(6, "Age of the weights", "Time since proposals use the present ones.", "s", query{`time() - nwl_weights_timestamp_seconds{` + of + `}`, "age"}))
	for _, g := range []panel{
		show(8, "Acceptance of the present network", "Of its proposals since it came in or its phase began.", "percentunit", query{`nwl_network_acceptance_ratio{` + of + `}`, "acceptance"}),
		show(8, "Exchanges", "By result.", "", query{`nwl_network_swaps_total{` + of + `}`, "{{result}}"}),
		show(8, "Time of exchanges", "For loading the other network beside sampling, and the pause of sampling; the mean since the process began, absent without an exchange.", "s", query{`nwl_network_swap_loading_seconds_sum{` + of + `} / (nwl_network_swap_loading_seconds_count{` + of + `} > 0)`, "loading"},
			query{`nwl_network_swap_pause_seconds_sum{` + of + `} / (nwl_network_swap_pause_seconds_count{` + of + `} > 0)`, "pause"}).onLog(),
	} {
		p.graph(g)
	}
	p.row("Training")
	for _, g := range []panel{
		show(8, "Loss", "Of the latest batch, in nats.", "", query{`nwl_training_loss_nats{` + of + `}`, "loss"}),
		show(8, "Norm of the gradient", "Before clipping.", "", query{`nwl_training_gradient_norm{` + of + `} > 0`, "norm"}).onLog(),
		show(8, "Steps per second", "Dropped ones met a NaN or an infinity.", "", query{rate(`nwl_training_steps_total{`+of+`}`, "result"), "{{result}}"}),
		show(8, "Replay buffer", "How full it is.", "percentunit", query{`nwl_training_replay_fill_ratio{` + of + `}`, "full"}).share(),
		show(8, "Publications per second", "How often proposals began to use other weights.", "", query{`rate(nwl_weight_publications_total{` + of + `}[$__rate_interval])`, "publications"}),
		show(8, "Versions on disk", "Written since the process began.", "", query{`nwl_bundles_exported_total{` + of + `}`, "versions"}),
	} {
		p.graph(g)
	}
	p.row("Inference")
	of95 := rate(`nwl_inference_duration_seconds_bucket{`+of+`}`, "le, graph")
	for _, g := range []panel{
		show(8, "Evaluations per second", "By graph of the network.", "", query{rate(`nwl_inference_duration_seconds_count{`+of+`}`, "graph, provider"), "{{graph}} on {{provider}}"}),
		show(8, "Time of an evaluation", "The mean.", "s", query{rate(`nwl_inference_duration_seconds_sum{`+of+`}`, "graph") + ` / ` + rate(`nwl_inference_duration_seconds_count{`+of+`}`, "graph"), "{{graph}}"}).onLog(),
		show(8, "Time of slow evaluations", "95 % are faster.", "s", query{`histogram_quantile(0.95, ` + of95 + `)`, "{{graph}}"}).onLog(),
	} {
		p.graph(g)
	}
	p.row("Process")
	for _, g := range []panel{
		show(8, "Memory", "Resident size.", "bytes", query{`nwl_run_resident_memory_bytes{` + of + `}`, "resident"}),
		show(8, "Processors in use", "", "", query{`rate(nwl_run_cpu_seconds_total{` + of + `}[$__rate_interval])`, "processors"}),
		show(8, "ONNX Runtime and Go", "Sessions and tensors held, and goroutines.", "", query{`nwl_run_onnxruntime_sessions{` + of + `}`, "sessions"}, query{`nwl_run_onnxruntime_tensors{` + of + `}`, "tensors"}, query{`nwl_run_goroutines{` + of + `}`, "goroutines"}),
		show(8, "Age of the checkpoint", "", "s", query{`time() - nwl_checkpoint_timestamp_seconds{` + of + `}`, "age"}),
		show(8, "Checkpoints", "Size of the latest.", "bytes", query{`nwl_checkpoint_bytes{` + of + `}`, "size"}),
		show(8, "Time for checkpoints", "Share of the run's time, and how many failed.", "percentunit", query{`rate(nwl_checkpoint_seconds_total{` + of + `}[$__rate_interval])`, "writing"}, query{`rate(nwl_checkpoints_total{` + of + `,result="failed"}[$__rate_interval])`, "failed per second"}),
	} {
		p.graph(g)
	}
	return p
}

// architectures compares the networks of runs of one system.
func architectures() *page {
	const of = `system=~"$system",run=~"$run"`
	p := newPage("nwl-architectures", "neuralwl: architectures", "Runs of one system side by side, by the architecture of their networks; none are local moves alone.",
		variable("system", "System", "nwl_run_info", true), variable("run", "Runs", `nwl_run_info{system=~"$system"}`, true))
	p.marks(`run=~"$run"`)
	// named gives the series of a run its architecture.
	named := func(series string) string {
		return series + ` * on (run) group_left (architecture) nwl_run_info{` + of + `}`
	}
	mean := func(series string) string { return `avg by (architecture) (` + named(series) + `)` }
	p.list(panel{title: "Runs", about: "Since their processes began.", width: 24, queries: []query{
		{`max by (run, system, architecture, seed) (nwl_run_info{` + of + `})`, ""},
		{`max by (run, result) (nwl_run_end_info{run=~"$run"})`, ""},
		{`sum by (run) (nwl_round_trips_total{run=~"$run"})`, "round trips"},
		{`sum by (run) (nwl_round_trips_total{run=~"$run"}) / max by (run) (nwl_run_cpu_seconds_total{run=~"$run"})`, "round trips per CPU s"},
		{`max by (run) (nwl_network_acceptance_ratio{run=~"$run"})`, "acceptance"},
		{`max by (run) (nwl_training_loss_nats{run=~"$run"})`, "loss"},
		{`max by (run) (nwl_ln_g_error_nats{run=~"$run"})`, "error of ln g"},
		{`max by (run) (nwl_run_resident_memory_bytes{run=~"$run"})`, "memory"},
	}}, "run")
	p.row("Progress")
	for _, g := range []panel{
		show(12, "Round trips per second", "Mean of the runs of an architecture.", "", query{mean(rate(`nwl_round_trips_total{run=~"$run"}`, "run")), "{{architecture}}"}),
		show(12, "Round trips per processor second", "Mean of the runs of an architecture.", "", query{mean(rate(`nwl_round_trips_total{run=~"$run"}`, "run") + ` / (` + rate(`nwl_run_cpu_seconds_total{run=~"$run"}`, "run") + ` > 0)`), "{{architecture}}"}),
		show(8, "ln f", "By run.", "", query{named(`max by (run) (nwl_ln_f{run=~"$run"} > 0)`), "{{architecture}} {{run}}"}).onLog(),
		show(8, "Levels seen", "By run.", "", query{named(`max by (run) (nwl_levels_seen{run=~"$run"})`), "{{architecture}} {{run}}"}),
		show(8, "Error of ln g", "By run, where the exact one is known.", "", query{named(`max by (run) (nwl_ln_g_error_nats{run=~"$run"})`), "{{architecture}} {{run}}"}).onLog(),
	} {
		p.graph(g)
	}
	p.row("Network")
	for _, g := range []panel{
		show(8, "Acceptance", "Of the present network's proposals, by run.", "percentunit", query{named(`max by (run) (nwl_network_acceptance_ratio{run=~"$run"})`), "{{architecture}} {{run}}"}),
		show(8, "Acceptance by region", "Mean of the runs of an architecture.", "percentunit", query{`avg by (architecture, region) (nwl_region_acceptance_ratio{run=~"$run"} * on (run) group_left (architecture) nwl_run_info{` + of + `})`, "{{architecture}} {{region}}"}),
		show(8, "Sites changed by region", "By an accepted proposal, mean of the runs of an architecture.", "percentunit", query{`avg by (architecture, region) (nwl_region_changed_ratio{run=~"$run"} * on (run) group_left (architecture) nwl_run_info{` + of + `})`, "{{architecture}} {{region}}"}),
		show(8, "Loss", "By run.", "", query{named(`max by (run) (nwl_training_loss_nats{run=~"$run"})`), "{{architecture}} {{run}}"}),
		show(8, "Time of proposals", "Of an evaluation of propose, the mean of all runs of an architecture.", "s", query{
			`sum by (architecture) (` + named(rate(`nwl_inference_duration_seconds_sum{run=~"$run",graph="propose"}`, "run")) + `) / sum by (architecture) (` + named(rate(`nwl_inference_duration_seconds_count{run=~"$run",graph="propose"}`, "run")) + `)`, "{{architecture}}"}).onLog(),
		show(8, "Time of passes", "Mean of the runs of an architecture.", "s", query{`1 / ` + `(` + mean(rate(`nwl_passes_total{run=~"$run"}`, "run")) + ` > 0)`, "{{architecture}}"}).onLog(),
		show(12, "Memory", "By run.", "bytes", query{named(`max by (run) (nwl_run_resident_memory_bytes{run=~"$run"})`), "{{architecture}} {{run}}"}),
		show(12, "Processors in use", "By run.", "", query{named(rate(`nwl_run_cpu_seconds_total{run=~"$run"}`, "run")), "{{architecture}} {{run}}"}),
	} {
		p.graph(g)
	}
	return p
}
