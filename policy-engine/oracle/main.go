// Command oracle judges policy and document pairs with the code that policy-controller runs: cosign's pkg/policy, with
// CUE and OPA in the versions that are compiled into the modules. Pairs come on stdin, verdicts go to stdout, as JSON.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"

	"github.com/sigstore/cosign/v2/pkg/policy"
)

type pair struct {
	Name     string `json:"name"`
	Type     string `json:"type"`
	Policy   string `json:"policy"`
	Document string `json:"document"`
}

type verdict struct {
	Name    string `json:"name"`
	Passed  bool   `json:"passed"`
	Error   string `json:"error,omitempty"`
	Warning string `json:"warning,omitempty"`
}

// judge also takes a panic of the reference for a refusal: in a webhook it ends the request.
func judge(one pair) (judged verdict) {
	judged.Name = one.Name
	defer func() {
		if cause := recover(); cause != nil {
			judged.Passed, judged.Error = false, fmt.Sprint("panic: ", cause)
		}
	}()
	warning, err := policy.EvaluatePolicyAgainstJSON(
		context.Background(), "pair", one.Type, one.Policy, []byte(one.Document))
	judged.Passed = err == nil
	if err != nil {
		judged.Error = err.Error()
	}
	if warning != nil {
		judged.Warning = warning.Error()
	}
	return judged
}

func main() {
	var pairs []pair
	if err := json.NewDecoder(os.Stdin).Decode(&pairs); err != nil {
		fmt.Fprintln(os.Stderr, "oracle:", err)
		os.Exit(1)
	}
	verdicts := make([]verdict, 0, len(pairs))
	for _, one := range pairs {
		verdicts = append(verdicts, judge(one))
	}
	if err := json.NewEncoder(os.Stdout).Encode(verdicts); err != nil {
		fmt.Fprintln(os.Stderr, "oracle:", err)
		os.Exit(1)
	}
}
