// Package cuepolicy judges JSON documents by CUE policies as cosign's pkg/policy/eval.go does: the document is unified
// with the policy, and only a conflict fails. Strict mode asks more: see presence.go.
package cuepolicy

import (
	"fmt"
	"slices"
	"strings"

	"cuelang.org/go/cue"
	"cuelang.org/go/cue/ast"
	"cuelang.org/go/cue/cuecontext"
	"cuelang.org/go/cue/errors"
	"cuelang.org/go/cue/parser"

	"chainwright.dev/policy-engine/internal/verdict"
)

// A cue.Context keeps what was ever built in it, about a hundred times the size of a document, so it is left behind after
// so many evaluations or bytes of documents: compiling a policy anew costs less than collecting around all that.
const (
	evaluationsPerContext = 8
	bytesPerContext       = 32 << 10
)

type policy struct {
	source string
	ctx    *cue.Context
	value  cue.Value
	// evaluations and bytes are what the context has been used for.
	evaluations int
	bytes       int
	// blind are the validators in use that presence cannot be checked through.
	blind []string
}

// Compile parses and compiles a policy on its own, without any document.
func Compile(source string) (verdict.Policy, verdict.Compiled) {
	if fault := toolImport(source); fault != nil {
		return nil, verdict.Compiled{Fault: fault}
	}
	made := &policy{source: source}
	if err := made.renew(); err != nil {
		return nil, verdict.Compiled{Fault: faultOf(err)}
	}
	made.blind = blindSpots(source)
	return made, verdict.Compiled{Names: namesOf(made.value), Outline: outlineOf(source)}
}

// toolImport finds an import of CUE's packages for network, files and commands. They would not be run here, nor are
// they by the reference, but whoever writes one expects that.
func toolImport(source string) *verdict.Fault {
	file, err := parser.ParseFile("", source, parser.ImportsOnly)
	if err != nil {
		return nil
	}
	for _, spec := range file.Imports {
		path := strings.Trim(spec.Path.Value, `"`)
		if path == "tool" || strings.HasPrefix(path, "tool/") {
			at := spec.Pos()
			message := fmt.Sprintf("package %q is refused: a policy has no network, files or commands", path)
			return &verdict.Fault{Message: message, Line: at.Line(), Column: at.Column()}
		}
	}
	return nil
}

func faultOf(err error) *verdict.Fault {
	fault := &verdict.Fault{Message: err.Error()}
	for _, at := range errors.Positions(err) {
		if at.IsValid() {
			fault.Line, fault.Column = at.Line(), at.Column()
			break
		}
	}
	return fault
}

func (p *policy) renew() error {
	p.ctx = cuecontext.New()
	p.value = p.ctx.CompileString(p.source)
	p.evaluations, p.bytes = 0, 0
	return p.value.Err()
}

// Evaluate judges one JSON document.
func (p *policy) Evaluate(document []byte, options verdict.Options) verdict.Verdict {
	if p.evaluations >= evaluationsPerContext || p.bytes >= bytesPerContext {
		if err := p.renew(); err != nil {
			return refused("failed to compile the cue policy with error: ", err)
		}
	}
	p.evaluations++
	p.bytes += len(document)
	found := p.ctx.CompileBytes(document)
	if found.Err() != nil {
		return refused("failed to compile the attestation data with error: ", found.Err())
	}
	unified := p.value.Unify(found)
	if err := unified.Validate(); err != nil {
		return verdict.Verdict{
			Messages:  p.conflicts(err, found),
			Reference: "failed to evaluate the policy with error: " + err.Error(),
		}
	}
	if !options.Strict {
		return verdict.Verdict{Passed: true}
	}
	messages := p.missing(unified, found)
	return verdict.Verdict{Passed: len(messages) == 0, Messages: messages}
}

func refused(prefix string, err error) verdict.Verdict {
	return verdict.Verdict{
		Messages:  []verdict.Message{{Reason: verdict.Evaluation, Text: verdict.Shortened(prefix + err.Error())}},
		Reference: prefix + err.Error(),
	}
}

func (p *policy) conflicts(err error, found cue.Value) []verdict.Message {
	var messages []verdict.Message
	for _, one := range errors.Errors(err) {
		if len(messages) == verdict.MaxMessages {
			break
		}
		path := strings.Join(one.Path(), ".")
		message := verdict.Message{
			Reason: verdict.Conflict,
			Path:   path,
			Text:   verdict.Shortened(strings.TrimPrefix(one.Error(), path+": ")),
		}
		if at := cue.ParsePath(path); at.Err() == nil {
			message.Expected = shown(p.value.LookupPath(at))
			message.Found = shown(found.LookupPath(at))
		}
		messages = append(messages, message)
	}
	return messages
}

// shown is a value as CUE writes it, on one line; empty if there is none.
func shown(value cue.Value) string {
	if !value.Exists() {
		return ""
	}
	return verdict.Shortened(strings.Join(strings.Fields(fmt.Sprintf("%v", value)), " "))
}

// blindFunctions are those of list, encoding/json and encoding/yaml that take a schema.
var blindFunctions = []string{"MatchN", "Validate", "ValidatePartial"}

// blindSpots are the validators whose arguments are schemas that CUE compares out of our sight.
func blindSpots(source string) []string {
	file, err := parser.ParseFile("", source)
	if err != nil {
		return nil
	}
	var used []string
	ast.Walk(file, func(node ast.Node) bool {
		call, isCall := node.(*ast.CallExpr)
		if !isCall {
			return true
		}
		switch called := call.Fun.(type) {
		case *ast.Ident:
			if name := strings.TrimPrefix(called.Name, "__"); name == "matchN" || name == "matchIf" {
				used = append(used, name)
			}
		case *ast.SelectorExpr:
			if name, isIdent := called.Sel.(*ast.Ident); isIdent && slices.Contains(blindFunctions, name.Name) {
				used = append(used, name.Name)
			}
		}
		return true
	}, nil)
	return used
}
