package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"neuralwl/internal/daemon"
)

// dataFlag adds the flag of commands that work on a data folder.
func dataFlag(c *cobra.Command) *string {
	return c.Flags().String("data", "nwl-data", "data folder of nwl serve, which may be running")
}

func newWorkerInvite() *cobra.Command {
	var url, files, file string
	c := &cobra.Command{
		Use:   "invite NAME [--data DIR] [--url tls://HOST:4222] [--files DIR|s3://BUCKET/PREFIX] [--file FILE]",
		Short: "Make a key for workers, with all that they need, in one file",
		Long: `Make a key for workers of a name and write it to FILE, of mode 0600, with the address of the queue, the
certificate that it shows and the folder of run directories. It is shown this once: the data folder
keeps the public part. Whoever has the file can take runs; several workers may use it. A running
nwl serve admits them within a second.`,
		Args: arguments(cobra.ExactArgs(1)),
	}
	data := dataFlag(c)
	c.RunE = func(c *cobra.Command, args []string) error {
		name := args[0]
		if _, err := os.Stat(filepath.Join(*data, daemon.VersionFile)); err != nil {
			return fmt.Errorf("%s is no data folder of nwl serve: %w; name it with --data", *data, err)
		}
		if files == "" {
			files = daemon.Roster(*data).Files()
		}
		if files == "" {
			var err error
			if files, err = filepath.Abs(daemon.RunsFolder(*data)); err != nil {
				return err
			}
		}
		if file == "" {
			file = name + ".key"
		}
		f, err := os.OpenFile(file, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
		if err != nil {
			return fmt.Errorf("key: %w; choose another with --file", err)
		}
		defer f.Close()
		i, err := daemon.Roster(*data).Invite(name, url, files)
		if err != nil {
			os.Remove(file)
			return usageError{err}
		}
		e := json.NewEncoder(f)
		e.SetIndent("", "  ")
		if err := e.Encode(i); err != nil {
			return fmt.Errorf("key: %w; revoke %s and invite it again", err, name)
		}
		_, err = fmt.Fprintf(c.OutOrStdout(), "%s: for nwl worker --key %s, which asks %s\n", file, filepath.Base(file), i.URL)
		return err
	}
	c.Flags().StringVar(&url, "url", "", "address at which workers reach the queue (default where it listens, by the name of this machine)")
	c.Flags().StringVar(&files, "files", "", "folder of run directories as the workers' machines see it, or s3://bucket/prefix (default that of the head)")
	c.Flags().StringVar(&file, "file", "", "file to be made (default NAME.key)")
	return c
}

func newWorkerRevoke() *cobra.Command {
	c := &cobra.Command{
		Use:   "revoke NAME [--data DIR]",
		Short: "Withdraw the key of workers",
		Long: `Withdraw the key of the workers of a name. A running nwl serve closes their connections within a
second; they end by themselves, and their runs go on elsewhere once queue.silence is over.`,
		Args: arguments(cobra.ExactArgs(1)),
	}
	data := dataFlag(c)
	c.RunE = func(c *cobra.Command, args []string) error {
		if err := daemon.Roster(*data).Revoke(args[0]); err != nil {
			return err
		}
		_, err := fmt.Fprintf(c.OutOrStdout(), "%s: revoked\n", args[0])
		return err
	}
	return c
}
