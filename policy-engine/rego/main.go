// Command rego is the Rego module of the policy engine.
package main

import (
	// Rego's time built-ins take names of time zones, and there is no file system to read them from.
	_ "time/tzdata"

	"chainwright.dev/policy-engine/internal/abi"
	"chainwright.dev/policy-engine/internal/regopolicy"
)

func init() { abi.Serve(regopolicy.Compile) }

func main() {}
