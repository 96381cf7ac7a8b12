// Command rego is the Rego module of the policy engine.
package main

import (
	"chainwright.dev/policy-engine/internal/abi"
	"chainwright.dev/policy-engine/internal/regopolicy"
)

func init() { abi.Serve(regopolicy.Compile) }

func main() {}
