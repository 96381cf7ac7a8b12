// Command tekton-cli is tkn with its command `chain` alone. The whole of it needs modules that not every Go proxy serves.
package main

import (
	"os"

	"github.com/spf13/cobra"
	"github.com/tektoncd/cli/pkg/cli"
	"github.com/tektoncd/cli/pkg/cmd/chain"
)

func main() {
	tkn := &cobra.Command{Use: "tkn", SilenceUsage: true}
	tkn.AddCommand(chain.Command(&cli.TektonParams{}))
	if err := tkn.Execute(); err != nil {
		os.Exit(1)
	}
}
