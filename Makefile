# make run    fetches dependencies, builds and runs the demonstration
# make test   fetches dependencies and runs the tests, long ones in part

GO ?= go

.PHONY: deps deps-test build run test test-long race invariants kill-test daemon-kill-test ensemble-test machines-test schemathesis man docs docs-check python-test torch-test notebook-test dist dist-test page-test screenshots mlserver-test tritonclient-test grafana-test grafana-docs load-test soak vulnerabilities slurm-test slurm-workers-test kubernetes-test fuzz bench bench-c calibrate scaling pretrained gpu-pack gpu-pack-test lint proto clean

deps: ## ONNX Runtime's shared library, into .deps/onnxruntime
	@scripts/fetch-onnxruntime.sh

deps-test: deps ## the Python package onnx, for one test, if pip can fetch it
	@scripts/fetch-onnx-checker.sh

build: deps
	$(GO) build -ldflags '-X main.described=$(shell git describe --tags --always --dirty --abbrev=12 2>/dev/null)' -o bin/nwl ./cmd/nwl

run: build
	bin/nwl demo

test: deps-test ## vet and the tests, long and statistical ones in part
	$(GO) vet ./...
	$(GO) test -short -timeout 30m ./...

LONG = ./internal/run $(shell grep -rlE --include=*_test.go 'neuralwl/internal/long|testing\.Short' . | xargs dirname | sort -u | grep -vx ./internal/run) # the first takes longest
test-long: deps-test ## the tests that make test reduces or leaves out, in full
	tests="$$($(GO) run ./internal/long/names $(LONG))" && $(GO) test -p $$(($$(getconf _NPROCESSORS_ONLN) + 1)) -timeout 60m -run "$$tests" $(LONG) # some wait more than they work

race: deps ## all tests with the race detector
	$(GO) test -race -timeout 20m ./...

invariants: deps ## the sampler's and whole runs' tests with every check of the program's own assumptions
	$(GO) test -tags invariants -short -timeout 30m ./sampler/... ./trainer/...
	$(GO) test -tags invariants -short -timeout 30m ./internal/run -run 'TestRun$$|Metamorphic|Variational$$|TestSwapAlone'

daemon-kill-test: deps ## the daemon and its children killed a hundred times over a queue of eight runs
	$(GO) test ./cmd/nwl -run TestDaemonKill -v -timeout 60m -daemon-kills 100

ensemble-test: deps ## REALISATIONS runs with other bonds as one group of a daemon, and another one killed in between: averages against enumeration
	$(GO) test ./cmd/nwl -run 'TestEnsemble$$|TestGroupKill' -v -timeout 60m -realisations $(or $(REALISATIONS),1000)

machines-test: deps ## JOBS runs (12) by workers in network namespaces that are killed, stopped and cut off; skipped without root. A queue of three nats-server processes
	$(GO) test ./cmd/nwl -run 'TestMachines|TestCluster' -v -timeout 90m -machines $(or $(JOBS),12) -cluster

kill-test: deps ## kills a run a hundred times and compares its result
	$(GO) test ./cmd/nwl -run TestKill -v -kills 100

schemathesis: build ## the daemon against its own OpenAPI document, EXAMPLES requests to each operation; skipped if pip cannot fetch the program
	scripts/schemathesis.sh

mlserver-test: build ## a run whose network MLServer evaluates, and Triton's configuration read by its client; skipped if pip cannot fetch them
	scripts/mlserver-test.sh

grafana-test: build ## dashboards and alerts, by Grafana's types, promtool and a real Prometheus; parts are skipped without npm or apt-get
	scripts/grafana-test.sh

grafana-docs: build ## the same, and docs/dashboards.md with a picture of each dashboard
	scripts/grafana-test.sh docs

tritonclient-test: build ## the networks of a daemon used by Triton's client for Python, over HTTP and gRPC; skipped if pip cannot fetch it
	scripts/tritonclient.sh

python-test: ## the wheel by pytest with each Python that is there, by a new environment, and the archive without pip; parts that cannot be had are skipped
	scripts/python-test.sh

torch-test: build ## a network trained by PyTorch swapped into a run; skipped if pip cannot fetch it (5 GB)
	scripts/torch-test.sh

notebook-test: build ## the notebooks of examples/, executed; skipped if pip cannot fetch what they need
	scripts/notebook-test.sh

dist: ## wheels, archives and Debian packages for x86-64 and arm64, with digests, in dist/; needs pip
	packaging/dist.sh

dist-test: ## dist/, and its arm64 parts by an emulator; needs apt-get
	scripts/dist-test.sh

man: build ## manual pages of all commands, in bin/man
	bin/nwl man bin/man

docs: ## the documents as a site with search, .site/index.html, every link checked; skipped if pip cannot fetch mkdocs-material
	scripts/docs.sh

docs-check: deps ## every command of README.md and docs, half an hour; cmd/nwl/documents_list_test.go says with less work for which
	$(GO) test ./cmd/nwl -run TestDocuments -v -timeout 2h -documents

page-test: build ## the daemon's pages in headless Chromium, with axe-core; skipped if one of them is not to be had
	scripts/page-test.sh

screenshots: build ## docs/page-light.png, page-dark.png and page-phone.png from a run of its own; needs Chromium
	SCREENSHOTS=$(CURDIR)/docs scripts/page-test.sh -run TestScreenshots

load-test: build ## what requests and open streams cost a run and the daemon
	$(GO) run ./internal/loadtest --nwl bin/nwl --rounds $(or $(ROUNDS),8)

soak: deps ## a thousand exchanges of networks while they are used, with their latencies and the memory
	$(GO) test ./internal/repository -run TestSwaps -v -timeout 60m -swaps 1000

vulnerabilities: ## known ones in what the program calls, if their database can be reached
	scripts/vulnerabilities.sh

slurm-test: build ## the Slurm script of docs/batch.md by a Slurm of its own (root on Debian, two minutes); else it says why not
	scripts/slurm-test.sh

slurm-workers-test: build ## the script for workers of docs/machines.md by a Slurm of its own (root on Debian, four minutes); else it says why not
	scripts/slurm-workers-test.sh

kubernetes-test: ## deploy/kubernetes, by the types of Kubernetes' API; skipped if they cannot be fetched
	scripts/kubernetes-test.sh

# Minimising inputs that reach new code is kept short: since coverage differs slightly
# from run to run, it could take all the time. FUZZTIME is a number of inputs, not a
# time: Go before 1.27 sometimes reports the end of the time as a failure,
# "context deadline exceeded" (go.dev/issue/75804).
fuzz: deps ## every fuzz target in turn, with FUZZTIME inputs each
	@found=$$($(GO) test -list '^Fuzz' ./...) || { echo "$$found"; exit 1; }; \
	echo "$$found" | awk '/^Fuzz/ { names[++n] = $$1 } /^ok/ { for (; n; n--) print $$2, names[n] }' | \
	{ failed=0; while read -r package name; do \
		echo "$$package $$name"; \
		$(GO) test -run '^$$' -fuzz "^$$name$$" -fuzztime $(or $(FUZZTIME),200000x) -fuzzminimizetime 50x "$$package" || failed=1; \
	done; exit $$failed; }

bench: deps ## BENCH selects, as in make bench BENCH=Local; compare two outputs with `go tool benchstat`
	$(GO) test -run '^$$' -bench '$(or $(BENCH),.)' -benchmem -count $(or $(COUNT),1) ./...

bench-c: ## the local moves and the microcanonical network in C, as yardsticks for BENCH=Local and BENCH=Microcanonical
	@mkdir -p bin
	$(or $(CC),cc) -Ofast -march=native -o bin/microcanonical-c models/testdata/microcanonical.c -lm
	bin/microcanonical-c
	$(or $(CC),cc) -O3 -march=native -o bin/local-c sampler/local/testdata/local.c -lm
	bin/local-c

calibrate: deps ## how often runs that say "converged" are wrong, in SEEDS short runs of each of some 550 kinds
	$(GO) run ./internal/calibrate --seeds $(or $(SEEDS),2)

# Lattices beyond 32x32 use the network that comes with the program. A run that was killed
# resumes at its last checkpoint. An interrupted one has a summary: the program below says
# how to continue it.
scaling: $(foreach L,$(or $(SIZES),8 16 24 32 48 64),runs/scaling/$(L)/summary.json) ## docs/scaling.png from runs of SIZES, two hours on one core, half of that on two with make -j2
	$(GO) run ./internal/scaling/cmd --figure docs/scaling.png $^

.PRECIOUS: runs/scaling/%/summary.json
runs/scaling/%/summary.json: | build
	@mkdir -p runs/scaling
	if [ -e $(@D)/config.yaml ]; then GOMAXPROCS=1 bin/nwl run --resume $(@D); \
	elif [ $* -le 32 ]; then GOMAXPROCS=1 bin/nwl run --set run.moves=local --set run.workers=1 --set system.size=$*x$* \
		--set production.passes=$(or $(PASSES),20000) --set metrics.listen= --out $(@D); \
	else GOMAXPROCS=1 bin/nwl run --set model.bundle=pretrained/potts-q10-checkerboard --set trainer.every=0 --set run.walkers=128 --set run.workers=1 \
		--set system.size=$*x$* --set local.sweeps=100 --set wang_landau.final_ln_f=2e-5 --set production.histogram=low \
		--set production.passes=$(or $(PASSES),1000) --set metrics.listen= --out $(@D); fi

# They take half an hour, a quarter of one, ten minutes and, after the first, half an hour on one core.
pretrained: pretrained-potts-q10 pretrained-potts-q10-checkerboard pretrained-potts-q2 pretrained-potts ## the networks that come with the program, by their recipes

pretrained-%: models/pretrained/recipes/%.yaml | build
	rm -rf runs/pretrained/$*
	bin/nwl train --config $< --name $* --out runs/pretrained
	$(GO) run ./models/pretrained/pack runs/pretrained/$*/1 models/pretrained/$*.zip

gpu-pack: ## .gpu/1, .gpu/2, ...: all that a bare machine with CUDA needs to measure this, in pieces of PIECE
	scripts/gpu/pack.sh $(or $(PIECE),56M)

gpu-pack-test: ## the same with the CPU's library, unpacked and tried where there is no Go
	scripts/gpu/pack.sh $(or $(PIECE),8M) cpu
	scripts/gpu/try.sh

lint:
	@test -z "$$(gofmt -l .)" || { gofmt -l .; echo 'run gofmt -w on these files'; exit 1; }
	$(GO) vet ./...
	$(GO) tool staticcheck ./...

proto: ## regenerates the Go code of the .proto files
	exporter/onnxpb/generate.sh
	internal/oip/oippb/generate.sh

clean:
	rm -rf bin dist .deps .site
