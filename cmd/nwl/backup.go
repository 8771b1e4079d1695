package main

import (
	"fmt"
	"log/slog"

	"github.com/spf13/cobra"

	"neuralwl/internal/daemon"
	"neuralwl/internal/shell"
)

func newBackup() *cobra.Command {
	data := "nwl-data"
	c := &cobra.Command{
		Use:   "backup DIR [--data DIR]",
		Short: "Copy the daemon's data folder, while it runs or not",
		Long: `Copy runs and networks of a data folder to a folder that does not exist yet or is
empty. The daemon may go on meanwhile: each run is as it was at some time during the copy,
with a checkpoint from which it goes on. Past events are not copied; each run's own are in
its events.jsonl. A backup without backup.json, its list, was not finished.`,
		Args: arguments(cobra.ExactArgs(1)),
		RunE: func(c *cobra.Command, args []string) error {
			b, err := daemon.MakeBackup(data, args[0], newLogger(slog.LevelInfo))
			if err != nil {
				return err
			}
			bytes := int64(0)
			for _, f := range b.Files {
				bytes += f.Bytes
			}
			_, err = fmt.Fprintf(c.OutOrStdout(), "%d runs, %d files, %d MB\n", b.Runs, len(b.Files), bytes>>20)
			return err
		},
	}
	c.Flags().StringVar(&data, "data", data, "data folder of the daemon")
	return c
}

func newRestore() *cobra.Command {
	var data string
	c := &cobra.Command{
		Use:   "restore DIR --data NEW",
		Short: "Make a data folder of a backup",
		Long: `Make a new data folder of a backup, every file of which is checked. The next nwl serve
with that folder goes on with its runs at the checkpoints that the backup has. Do not let the
daemon whose data were backed up go on with the same runs elsewhere: both would be right, but
the work is done twice.`,
		Args: arguments(cobra.ExactArgs(1)),
		RunE: func(c *cobra.Command, args []string) error {
			if data == "" {
				return usageError{fmt.Errorf("name the new data folder with --data")}
			}
			b, err := daemon.RestoreBackup(args[0], data)
			if err != nil {
				return err
			}
			_, err = fmt.Fprintf(c.OutOrStdout(), "%d runs of %s; go on with them by\n  nwl serve --data %s\n", b.Runs, b.Made.Local().Format("2006-01-02 15:04"), shell.Quote(data))
			return err
		},
	}
	c.Flags().StringVar(&data, "data", "", "new data folder, which does not exist yet or is empty")
	return c
}
