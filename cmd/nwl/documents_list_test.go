package main

// exception is a command of a document that is not executed as it stands in `go test`. Of every command
// that is not listed the documents promise that it takes seconds and ends with exit code 0.
type exception struct {
	document, command string // how it begins
	// long says what it takes: it is left to make docs-check.
	long string
	// more are arguments with which it is executed, for less work, or instead another command; long or why
	// says for what reason.
	more, instead, why string
	codes              []int  // allowed beside 0: 3 for runs that do not converge, as the document says or by more
	not                string // why it is not executed at all
}

// setting is what the commands of a document take for granted.
type setting struct {
	before []string          // commands
	words  map[string]string // what placeholders stand for
}

// elsewhere are the documents whose commands are executed by other tests.
var elsewhere = map[string]string{
	"batch.md":      "TestBatchScripts and make slurm-test execute its scripts",
	"watching.md":   "make grafana-test executes what it describes",
	"dashboards.md": "make grafana-docs writes it",
}

// brief is a run of a second.
const brief = "nwl run --set run.method=multicanonical --set wang_landau.final_ln_f=1e-3 --set production.passes=400 --set run.walkers=64 --set metrics.listen= "

var settings = map[string]setting{
	"README.md": {before: []string{brief + "--set system.size=4x4 --out stopped || [ $? = 3 ]"}, words: map[string]string{"DIR": "stopped"}},
	"commands.md": {
		before: []string{
			brief + "--set system.size=5x5 || [ $? = 3 ]", brief + "--set system.size=5x5 --set run.seed=2 || [ $? = 3 ]",
			"nwl init first.yaml --q 3 --size 4x4",
		},
		words: map[string]string{"DIR": "runs/q10-5x5-1", "FILE": "first.yaml"},
	},
	"reliability.md": {
		before: []string{brief + "--set system.size=4x4 --out here || [ $? = 3 ]"},
		words:  map[string]string{"DIR": "here"},
	},
	"networks.md": {words: map[string]string{"DIR": "triton"}},
	"ensembles.md": {before: []string{
		`for n in 1 2 3; do for i in 0 1 2 3 4 5 6 7 8; do [ $i = 0 ] && echo 9 9; echo $((i+1)) $(((i+1)%9+1)) $((i*n%3-1)); done > glass-$n.txt; done`,
	}},
	"systems.md": {before: []string{
		`for i in 0 1 2 3 4 5 6 7 8; do [ $i = 0 ] && echo 9 9; echo $((i+1)) $(((i+1)%9+1)) $((i%2*2-1)); done | tee glass.txt > graph.txt`,
		`for i in 0 1 2 3 4 5 6 7 8; do [ $i = 0 ] && echo i,j,J; echo $i,$(((i+1)%9)),1; done > square.csv`,
	}},
	"moves.md": {words: map[string]string{"Q": "3", "LxL": "4x4", "TIME": "1s", "N": "1", "FILE": "three"},
		before: []string{brief + "--set system.q=3 --set system.size=4x4 --out three || [ $? = 3 ]"}},
	"daemon.md": {words: map[string]string{"FOLDER": "pretrained/potts-q2"}},
}

const (
	minutes = "it takes minutes"
	// rooted is before commands that need network namespaces.
	rooted = `[ "$(id -u)" != 0 ] || `
	unsure = "it need not converge"
)

var exceptions = []exception{
	{document: "systems.md", command: "bin/nwl run --set system.model=file --set system.file=graph.txt", long: "two minutes", more: "--set run.max_time=4s", codes: []int{3}, why: unsure + " in so short a time"},
	{document: "systems.md", command: "bin/nwl run --set system.model=file", more: "--set run.max_time=2s", codes: []int{3}, why: unsure + " in so short a time"},
	{document: "systems.md", command: "bin/nwl run --set system.model=blume_capel", more: "--set run.max_time=2s", codes: []int{3}, why: unsure + " in so short a time"},
	{document: "joint.md", command: "bin/nwl run", more: "--set wang_landau.final_ln_f=1e-3 --set production.passes=400 --set metrics.listen=", codes: []int{3}, why: unsure + " in so short a time"},
	{document: "joint.md", command: "bin/nwl dos exact --set system.model=ising_field --set system.joint=magnetisation --set system.size=8x8", long: minutes},
	{document: "continuous.md", command: "bin/nwl run --set system.model=xy --set system.size=16x16 --set system.lowest", long: "a quarter of an hour",
		more: "--set run.max_time=4s", codes: []int{3}},
	{document: "continuous.md", command: "for beta in 0.3 0.6 0.9 1.1199; do bin/nwl dos", long: "it needs the density of states of a quarter of an hour",
		instead: "bin/nwl dos reweight runs/ring/dos.npz --beta 0.3"},
	{document: "continuous.md", command: "for beta in 0.3 0.6 0.9 1.1199; do bin/nwl run", long: "four minutes", codes: []int{3},
		instead: "bin/nwl run --set system.model=xy --set system.size=16x16 --set run.method=canonical --set run.beta=0.6 --set run.walkers=64 --set run.max_time=4s"},
	{document: "continuous.md", command: "bin/nwl train", long: "minutes each", more: "--set train.steps=10"},
	{document: "continuous.md", command: "bin/nwl run --set system.model=xy --set system.size=4x4 --set run.moves=[local,neural] --set model.bundle", long: "it needs the trained flow",
		more: "--set run.max_time=10s", codes: []int{3}},
	{document: "continuous.md", command: "bin/nwl run --set system.model=xy --set system.size=8x8 --set run.moves=[local,neural] --set model.bundle", long: "it needs the trained flow",
		more: "--set run.max_time=20s", codes: []int{3}},
	{document: "continuous.md", command: "bin/nwl run --set system.model=xy --set system.size=4x4 --set run.moves=[local,neural] --set run.max_time", long: "a minute",
		more: "--set run.walkers=64 --set trainer.batch=64 --set run.max_time=40s", codes: []int{3}, why: unsure + " in so short a time; on a busy machine it takes twenty seconds to begin"},
	{document: "continuous.md", command: "bin/nwl run", long: "a minute each", more: "--set run.max_time=12s", codes: []int{3}, why: unsure + " in so short a time"},
	{document: "README.md", command: "bin/nwl demo", long: "80 seconds", codes: []int{3}, why: unsure + " on a busy machine"},
	{document: "README.md", command: "bin/nwl run --config my.yaml", long: "a minute", codes: []int{3}, why: unsure + " on a busy machine"},
	{document: "README.md", command: "bin/nwl run --resume", codes: []int{3}, why: unsure},

	{document: "commands.md", command: "bin/nwl init  ", instead: "bin/nwl init", why: "standard input is no terminal, so that it asks nothing"},
	{document: "commands.md", command: "bin/nwl train --config", long: "half an hour of training", more: "--set train.max_time=20s --set train.sizes=[8x8]"},
	{document: "commands.md", command: "bin/nwl bundle latent", long: minutes + ", with the training of the network that it takes for granted",
		instead: "bin/nwl train --set train.steps=100 && bin/nwl bundle latent models/autoencoder-potts-q10-8x8 --out latent --states 500"},
	{document: "commands.md", command: "bin/nwl bench moves", long: "two minutes", more: "--time 2s"},
	{document: "commands.md", command: "bin/nwl bench errors", long: "eight minutes", more: "--time 4s --seeds 1"},
	{document: "commands.md", command: "bin/nwl compare quick", long: "a minute"},
	{document: "commands.md", command: "bin/nwl bench networks", long: "two minutes", more: "--time 20ms --batch 16"},
	{document: "commands.md", command: "bin/nwl dos inverse", long: "half a minute"},
	{document: "commands.md", command: "bin/nwl run --resume", codes: []int{3}, why: unsure},
	{document: "commands.md", command: "bin/nwl finish", codes: []int{3}, why: unsure},
	{document: "commands.md", command: "if [ -e DIR", codes: []int{3}, why: unsure},

	{document: "run-directory.md", command: "bin/nwl run [", long: "the default run takes a minute or two; README.md has it", more: "--set run.max_time=10s", codes: []int{3}},

	{document: "methods.md", command: "bin/nwl run --set run.method=wang-landau", long: "a minute each"},
	{document: "methods.md", command: "bin/nwl run --set run.method=m", long: "ten seconds each"},
	{document: "methods.md", command: "bin/nwl run --set run.method=van-wang-landau", long: "twenty seconds", codes: []int{3}, why: unsure},
	{document: "methods.md", command: "bin/nwl run --set wang_landau.schedule=constant", long: "a minute", codes: []int{3}, why: unsure},
	{document: "methods.md", command: "bin/nwl dos diff four/dos.csv", long: "it compares the two before"},
	{document: "methods.md", command: "bin/nwl run --set system.model=", long: minutes + " each", more: "--set run.max_time=20s", codes: []int{3}},

	{document: "compare.md", command: "bin/nwl compare quick --out", long: "a minute"},
	{document: "compare.md", command: "bin/nwl compare --resume", long: "three minutes more", more: "--seeds 3"},
	{document: "compare.md", command: "bin/nwl compare report quick", long: "it needs the comparison"},
	{document: "compare.md", command: "bin/nwl compare diff released new", long: "it needs two comparisons", instead: "bin/nwl compare diff quick quick"},
	{document: "compare.md", command: "bin/nwl submit compare", long: "it needs a daemon with nothing else to do",
		instead: "nwl serve & trap 'kill %1; wait' EXIT; until nwl ps 2>/dev/null; do sleep 0.2; done; bin/nwl submit compare --spec quick --id quick"},

	{document: "canonical.md", command: "bin/nwl run --set run.method=van", long: "a quarter of an hour", more: "--set van.steps=20 --set run.walkers=64", codes: []int{3}},
	{document: "canonical.md", command: "for seed in 1 2 3", long: "ten minutes", codes: []int{3},
		instead: "bin/nwl run --set run.method=van --set system.size=6x6 --set run.beta=1.6 --set trainer.learning_rate=5e-3 --set van.steps=20 --set production.passes=20 --set run.seed=1 --set van.anneal=0.5 --out frames-and-training-0.5-1"},
	{document: "canonical.md", command: "bin/nwl train", long: "two minutes each", more: "--set train.steps=60"},
	{document: "canonical.md", command: "for net in", long: "it needs the three networks"},

	{document: "networks.md", command: "bin/nwl train --config", long: "half an hour of training", more: "--set train.max_time=20s --set train.sizes=[8x8]"},
	{document: "networks.md", command: "bin/nwl run --set system.size=64x64", long: "ten minutes", more: "--set run.max_time=60s", codes: []int{3}},
	{document: "networks.md", command: "bin/nwl run --set run.moves=local", long: "half a minute", codes: []int{3}, why: unsure},
	{document: "networks.md", command: "bin/nwl train --set run.workers=1", long: "five minutes each", more: "--set train.steps=60"},
	{document: "networks.md", command: "bin/nwl bench moves --q 10 --size 8x8", long: "a minute each", more: "--time 2s"},
	{document: "networks.md", command: "bin/nwl run --set run.moves=neural", long: "a minute, of which little is known beforehand", more: "--set run.max_time=10s", codes: []int{3}},
	{document: "networks.md", command: "for L in", long: "six minutes", codes: []int{3},
		instead: "bin/nwl run --set run.method=van-wang-landau --set system.size=4x4 --set run.workers=1 --set run.max_time=10s --out alone-4"},
	{document: "networks.md", command: "bin/nwl bundle verify runs/", long: "it needs a run with a network", instead: "bin/nwl bundle verify pretrained/potts-q10"},
	{document: "networks.md", command: "bin/nwl run --set system.size=6x6", not: "it needs a model server, and is tried with two of them by TestRemoteServe and make mlserver-test"},

	{document: "daemon.md", command: "nwl pause", long: minutes, instead: "nwl pause q10-16x16-1 && until nwl ps --state paused --json | grep -q q10-16x16-1; do sleep 1; done"},
	{document: "daemon.md", command: "nwl resume", long: "it needs the pause"},
	{document: "daemon.md", command: "nwl logs", long: "it needs a run that has begun"},
	{document: "daemon.md", command: "curl -N", why: "the stream ends with the run, for which nobody waits here", instead: "curl -sN --max-time 2 http://127.0.0.1:9465/api/v1/runs/potts-3/events | grep -m 1 '^data'"},
	{document: "daemon.md", command: "curl -o ln_g.svg", long: "it needs levels of the run, which waits for its turn"},
	{document: "daemon.md", command: "bin/nwl swap pupil", not: "it needs two runs at a certain stage; TestSwapped of internal/daemon and TestClients do that"},
	{document: "daemon.md", command: "bin/nwl serve --set server.tokens", not: "it needs a certificate, and listens to the world; TestSecrets has both"},
	{document: "daemon.md", command: "nwl backup", instead: "nwl backup backup/monday --data nwl-data", why: "not everybody may write to /backup"},
	{document: "daemon.md", command: "nwl restore", instead: "nwl restore backup/monday --data new-data", why: "the same"},

	{document: "machines.md", command: "bin/nwl serve", why: "it goes on beside the others, for a while",
		instead: "(timeout 120 nwl serve --set queue.listen=127.0.0.1:0 --set server.work=false > head.log 2>&1 & echo $! > head.pid); until nwl ps 2>/dev/null; do sleep 0.2; done"},
	{document: "machines.md", command: "bin/nwl worker --key", why: "the same",
		instead: "(timeout 100 bin/nwl worker --key node7.key > worker.log 2>&1 &); until nwl worker list | grep -q ready; do sleep 0.2; done"},
	{document: "machines.md", command: "bin/nwl submit", codes: []int{3}, more: "--set metrics.listen= --set run.moves=local --set wang_landau.final_ln_f=1e-3 --set production.passes=200 --wait", why: unsure},
	{document: "machines.md", command: "bin/nwl worker revoke", instead: "bin/nwl worker revoke node7 && until tail -1 worker.log | grep -q nwl:; do sleep 0.2; done && kill $(cat head.pid)", why: "the worker ends, and so does the head"},

	{document: "reliability.md", command: "nwl run --set system.model=blume_capel", long: "a minute", codes: []int{3}, why: unsure},
	{document: "moves.md", command: "GOMAXPROCS=1 bin/nwl bench errors", long: "its network must fit any size", instead: "GOMAXPROCS=1 bin/nwl bench errors --q 10 --size 8x8 --mix cluster:4:0 --time 1s --seeds 1"},
	{document: "benchmarks.md", command: "nwl bench networks", not: "it needs CUDA; commands.md has it for the CPU"},
	{document: "benchmarks.md", command: "go test ./inference", not: "it needs CUDA; make gpu-pack-test does it with the CPU"},
	{document: "benchmarks.md", command: "scripts/gpu/unpack.sh", not: "it needs the pack; make gpu-pack-test executes both scripts"},
	{document: "python.md", command: "python3 -m venv", not: "make python-test does it in an environment of its own"},
	{document: "python.md", command: "pip install", not: "make python-test does it in an environment of its own"},
	{document: "python.md", command: "pip uninstall", not: "it needs CUDA"},
	{document: "machines.md", command: "sbatch", not: "it needs Slurm; make slurm-workers-test executes the script"},
	{document: "shards.md", command: "go test ./sampler", long: "two minutes", instead: "go test ./sampler -run '^$' -bench 'Windows$' -benchtime 1x"},
	{document: "shards.md", command: "scripts/shards.sh", long: minutes, instead: "scripts/shards.sh bin/nwl 4 20 1 2"},
	{document: "shards.md", command: `SET="--set wang_landau`, long: minutes,
		instead: `SET="--set wang_landau.final_ln_f=1e-2" scripts/shards.sh bin/nwl 6 20 2`},
	{document: "shards.md", command: `SET="--set run.method`, long: minutes,
		instead: `SET="--set run.method=multicanonical --set run.walkers=231 --set windows.count=3 --set run.round=100 --set wang_landau.final_ln_f=1e-2" scripts/shards.sh bin/nwl 4 20 2`},
	{document: "shards.md", command: `SET="--set run.walkers=84`, long: minutes,
		instead: `SET="--set run.walkers=84 --set windows.count=3 --set run.round=2 --set wang_landau.final_ln_f=1e-2" scripts/shards.sh bin/nwl 6 20 2`},
	{document: "shards.md", command: "KILL=6", long: minutes,
		instead: `KILL=3 SET="--set run.round=100 --set run.walkers=64 --set wang_landau.final_ln_f=5e-3 --set checkpoint.interval=3s" scripts/shards.sh bin/nwl 4 100 2`},
	{document: "scale.md", command: "scripts/scale.sh bin/nwl 0", long: minutes + " and root", instead: rooted + `SET="--set wang_landau.final_ln_f=1e-2" scripts/scale.sh bin/nwl 0 1 1`},
	{document: "scale.md", command: "scripts/scale.sh bin/nwl 25", long: minutes + " and root", instead: rooted + `SET="--set wang_landau.final_ln_f=1e-2" scripts/scale.sh bin/nwl 25 1 2`},
	{document: "results.md", command: "nwl run --set run.method=van", long: "half a minute", codes: []int{3}, why: unsure},
}
