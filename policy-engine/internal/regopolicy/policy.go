// Package regopolicy judges JSON documents by Rego policies as cosign's pkg/cosign/rego does: Rego v0, package
// sigstore, query `isCompliant = data.sigstore.isCompliant`. Strict mode asks more: see presence.go.
package regopolicy

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/rego"

	"chainwright.dev/policy-engine/internal/verdict"
)

const (
	binding    = "isCompliant"
	ruleRef    = "data.sigstore.isCompliant"
	query      = binding + " = " + ruleRef
	moduleName = "sigstore.rego"
)

// outward are the built-ins that leave the process.
var outward = []string{"http.send", "net.lookup_ip_addr"}

type policy struct {
	prepared rego.PreparedEvalQuery
	asked    []path
}

// Compile parses and compiles a policy on its own, without any document.
func Compile(source string) (verdict.Policy, verdict.Compiled) {
	module, err := ast.ParseModuleWithOpts(moduleName, source, ast.ParserOptions{RegoVersion: ast.RegoV0})
	if err != nil {
		return nil, verdict.Compiled{Fault: faultOf(err)}
	}
	fault, volatile := builtinsOf(module)
	if fault != nil {
		return nil, verdict.Compiled{Fault: fault}
	}
	prepared, err := rego.New(
		rego.Query(query),
		rego.Module(moduleName, source),
		rego.SetRegoVersion(ast.RegoV0),
		rego.Capabilities(withoutNetwork()),
	).PrepareForEval(context.Background())
	if err != nil {
		return nil, verdict.Compiled{Fault: faultOf(err)}
	}
	asked := askedPaths(source)
	names := make([]string, 0, len(asked))
	for _, one := range asked {
		names = append(names, one.String())
	}
	return &policy{prepared, asked}, verdict.Compiled{Names: names, Volatile: volatile}
}

func withoutNetwork() *ast.Capabilities {
	capabilities := ast.CapabilitiesForThisVersion()
	capabilities.AllowNet = []string{}
	capabilities.Builtins = slices.DeleteFunc(capabilities.Builtins, func(builtin *ast.Builtin) bool {
		return slices.Contains(outward, builtin.Name)
	})
	return capabilities
}

// builtinsOf finds a use of a built-in that leaves the process, or else the built-ins whose results vary.
func builtinsOf(module *ast.Module) (fault *verdict.Fault, volatile []string) {
	ast.WalkTerms(module, func(term *ast.Term) bool {
		ref, isRef := term.Value.(ast.Ref)
		if !isRef || fault != nil {
			return false
		}
		name := ref.String()
		if slices.Contains(outward, name) {
			fault = &verdict.Fault{Message: name + " is refused: a policy has no network"}
			if term.Location != nil {
				fault.Line, fault.Column = term.Location.Row, term.Location.Col
			}
		}
		builtin, isBuiltin := ast.BuiltinMap[name]
		if isBuiltin && builtin.IsNondeterministic() && !slices.Contains(volatile, name) {
			volatile = append(volatile, name)
		}
		return false
	})
	return fault, volatile
}

func faultOf(err error) *verdict.Fault {
	fault := &verdict.Fault{Message: err.Error()}
	var all ast.Errors
	var one *ast.Error
	if errors.As(err, &all) && len(all) > 0 {
		one = all[0]
	} else if !errors.As(err, &one) {
		return fault
	}
	if one.Location != nil {
		fault.Line, fault.Column = one.Location.Row, one.Location.Col
	}
	return fault
}

// Evaluate judges one JSON document.
func (p *policy) Evaluate(document []byte, options verdict.Options) verdict.Verdict {
	var input any
	decoder := json.NewDecoder(bytes.NewReader(document))
	decoder.UseNumber()
	if err := decoder.Decode(&input); err != nil {
		return failed(verdict.Evaluation, err)
	}
	results, err := p.prepared.Eval(
		context.Background(),
		rego.EvalInput(input),
		rego.EvalTime(options.Now),
	)
	if err != nil {
		return failed(verdict.Evaluation, err)
	}
	judged := judge(results)
	if judged.Passed && options.Strict {
		judged.Messages = missing(input, p.asked)
		judged.Passed = len(judged.Messages) == 0
	}
	return judged
}

func failed(reason string, err error) verdict.Verdict {
	return verdict.Verdict{
		Messages:  []verdict.Message{{Reason: reason, Text: verdict.Shortened(err.Error())}},
		Reference: err.Error(),
	}
}

// judge reads a result set as cosign does: of several results the first with a boolean or a list decides, true passes,
// and of a list the first member that passes.
func judge(results rego.ResultSet) verdict.Verdict {
	for _, result := range results {
		switch response := result.Bindings[binding].(type) {
		case []any:
			return judgeList(response)
		case bool:
			if response {
				return verdict.Verdict{Passed: true}
			}
		}
	}
	return failed(verdict.NotCompliant, fmt.Errorf("policy is not compliant for query '%s'", query))
}

// CosignRuleResult is a member of a policy's result; encoding/json puts the name into its messages.
type CosignRuleResult struct {
	Warning string `json:"warning,omitempty"`
	Error   string `json:"error,omitempty"`
	Result  bool   `json:"result,omitempty"`
}

func parseResult(member any) (CosignRuleResult, error) {
	var parsed CosignRuleResult
	if _, isObject := member.(map[string]any); !isObject {
		return parsed, fmt.Errorf("policy is not compliant for query '%s': a member of its result is no object", query)
	}
	encoded, err := json.Marshal(member)
	if err == nil {
		err = json.Unmarshal(encoded, &parsed)
	}
	if err != nil {
		return parsed, fmt.Errorf("policy is not compliant for query '%s' due to parsing errors: %w", query, err)
	}
	return parsed, nil
}

func judgeList(response []any) verdict.Verdict {
	refused := failed(verdict.NotCompliant, fmt.Errorf("policy is not compliant for query %q", query))
	var warnings []string
	var messages []verdict.Message
	for _, member := range response {
		parsed, err := parseResult(member)
		if err != nil {
			return failed(verdict.Evaluation, err)
		}
		if parsed.Result {
			if parsed.Warning == "" {
				return verdict.Verdict{Passed: true}
			}
			return verdict.Verdict{Passed: true, Warnings: []string{parsed.Warning}}
		}
		if parsed.Warning != "" {
			warnings = append(warnings, parsed.Warning)
		}
		if parsed.Error != "" && len(messages) < verdict.MaxMessages {
			text := verdict.Shortened(parsed.Error)
			messages = append(messages, verdict.Message{Reason: verdict.NotCompliant, Text: text})
		}
		refused.Reference = fmt.Sprintf("policy is not compliant for query '%s' with errors: %s", query, parsed.Error)
	}
	if len(messages) > 0 {
		refused.Messages = messages
	}
	refused.Warnings = warnings
	return refused
}
