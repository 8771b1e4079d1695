package main

import (
	"context"
	"errors"
	"log/slog"
	"runtime"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/sys/cpu"

	"neuralwl/inference"
	"neuralwl/internal/config"
	"neuralwl/internal/setup"
)

func newDoctor() *cobra.Command {
	var file string
	var assignments []string
	var asJSON bool
	c := &cobra.Command{
		Use:   "doctor [--config FILE] [--set key=value]... [--json]",
		Short: "Tell what works on this machine and what is wrong",
		Args:  noArguments,
		RunE: func(c *cobra.Command, _ []string) error {
			cfg, err := config.Load(file, assignments)
			if err != nil {
				return usageError{err}
			}
			var found namedRows
			fault := doctor(c.Context(), found.add, cfg)
			if asJSON {
				return errors.Join(writeJSON(c.OutOrStdout(), found.json()), fault)
			}
			return errors.Join(unlessClosed(printNamed(c.OutOrStdout(), found.rows)), fault)
		},
	}
	c.Flags().StringVar(&file, "config", "", "YAML file with the configuration")
	c.Flags().StringArrayVar(&assignments, "set", nil, "set a configuration key")
	addJSON(c, &asJSON)
	return c
}

// doctor tells the state of the machine by rows. Its error sums up what stands in the way of a run.
func doctor(ctx context.Context, row func(name, format string, a ...any), cfg *config.Config) error {
	row("nwl", "%s, %s %s/%s", version(), runtime.Version(), runtime.GOOS, runtime.GOARCH)
	row("cores", "%d", runtime.GOMAXPROCS(0))
	row("cpu features", "%s", cpuFeatures())

	if cfg.Inference.Remote() {
		return doctorRemote(ctx, row, cfg)
	}
	path, origin := inference.FindLibrary(cfg.Inference.Library)
	row("onnx runtime", "%s (from the %s)", path, origin)
	if _, err := inference.Open(cfg.Inference.Library); err != nil {
		row("", "NOT usable")
		return err
	}
	row("", "version %s", inference.Version())
	var faults []error
	for _, p := range []inference.Provider{inference.CPU, inference.CUDA} {
		err := inference.Probe(p)
		if err == nil {
			row("provider "+string(p), "works")
			continue
		}
		if p == inference.CPU {
			row("provider "+string(p), "does not work: %v", firstLine(err))
			faults = append(faults, err)
			continue
		}
		row("provider "+string(p), "is not there, and needed for GPUs alone: %v", firstLine(err))
	}
	chosen, err := inference.Select(inference.Provider(cfg.Inference.Provider), slog.Default())
	if err != nil {
		return errors.Join(append(faults, err)...)
	}
	row("a run takes", "%s (inference.provider %s)", chosen, cfg.Inference.Provider)
	return errors.Join(faults...)
}

// doctorRemote tells the state of the model server. The library is not needed then.
func doctorRemote(ctx context.Context, row func(name, format string, a ...any), cfg *config.Config) error {
	row("a run takes", "the model server at %s (inference.provider %s)", cfg.Inference.URL, cfg.Inference.Provider)
	if !cfg.Run.Has(config.NeuralMoves) {
		row("", "nothing of it, as run.moves has no %s", config.NeuralMoves)
		return nil
	}
	b, err := setup.Bundle(cfg, slog.Default())
	if err != nil {
		return err
	}
	s, err := setup.Server(ctx, cfg, b, slog.New(slog.DiscardHandler), nil)
	if err != nil {
		row("", "NOT usable")
		return err
	}
	defer s.Close()
	i := s.Info()
	row("", "is %s", strings.TrimSpace(i.Name+" "+i.Version))
	row("network", "%s works, and its ln q is that of %s", i.Model, cfg.Model.Bundle)
	return nil
}

// cpuFeatures lists what matters for the speed of networks.
func cpuFeatures() string {
	var have []string
	for _, f := range []struct {
		name string
		ok   bool
	}{
		{"AVX2", cpu.X86.HasAVX2}, {"FMA", cpu.X86.HasFMA}, {"AVX512F", cpu.X86.HasAVX512F},
		{"AVX512VNNI", cpu.X86.HasAVX512VNNI}, {"AVX512BF16", cpu.X86.HasAVX512BF16}, {"ASIMD", cpu.ARM64.HasASIMD},
	} {
		if f.ok {
			have = append(have, f.name)
		}
	}
	if have == nil {
		return "none that speed up networks"
	}
	return strings.Join(have, " ")
}

func firstLine(err error) string {
	line, _, _ := strings.Cut(err.Error(), "\n")
	return line
}
