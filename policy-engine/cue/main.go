// Command cue is the CUE module of the policy engine.
package main

import (
	"chainwright.dev/policy-engine/internal/abi"
	"chainwright.dev/policy-engine/internal/cuepolicy"
)

func init() { abi.Serve(cuepolicy.Compile) }

func main() {}
