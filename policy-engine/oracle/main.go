package main

import "github.com/sigstore/cosign/v2/pkg/policy"

func main() { _ = policy.EvaluatePolicyAgainstJSON }
