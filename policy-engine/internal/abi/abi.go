// Package abi is the border between a policy language and its host: WebAssembly exports that take bytes out of one
// buffer and leave a JSON answer in another. The host is src/policy/evaluation/engine-instance.ts.
package abi

import (
	"encoding/json"
	"fmt"
	"time"
	"unsafe"
)

// A Fault is why a policy does not compile. Line and Column count from one; zero where there is no place to show.
type Fault struct {
	Message string `json:"message"`
	Line    int    `json:"line,omitempty"`
	Column  int    `json:"column,omitempty"`
}

// A Compiled answer is what compiling a policy tells.
type Compiled struct {
	Fault *Fault `json:"fault,omitempty"`
	// Names are the paths that the policy asks of every document in strict mode, as far as they show without one.
	Names []string `json:"names,omitempty"`
	// Volatile are the built-ins in use whose result differs from call to call, such as the clock.
	Volatile []string `json:"volatile,omitempty"`
}

// A Message is one reason why a document does not comply.
type Message struct {
	// Reason is conflict, absent, incomplete, not-compliant, unsupported or document.
	Reason   string `json:"reason"`
	Path     string `json:"path"`
	Expected string `json:"expected,omitempty"`
	Found    string `json:"found,omitempty"`
	// Text is the evaluator's own wording, without the path.
	Text   string `json:"text"`
	Line   int    `json:"line,omitempty"`
	Column int    `json:"column,omitempty"`
}

// A Verdict is what evaluating a document gives.
type Verdict struct {
	Passed   bool      `json:"passed"`
	Messages []Message `json:"messages,omitempty"`
	// Reference is the text of policy-controller's evaluator for the same failure, empty if it lets the document pass.
	Reference string   `json:"reference,omitempty"`
	Warnings  []string `json:"warnings,omitempty"`
}

// Options of one evaluation.
type Options struct {
	Strict bool
	// Now is the time that the policy sees.
	Now time.Time
}

// A Policy is one that compiled, ready for any number of documents.
type Policy interface {
	Evaluate(document []byte, options Options) Verdict
}

// Compile is what a language gives: a policy, what there is to tell of it, or the fault.
type Compile func(source string) (Policy, Compiled)

var (
	compilePolicy Compile
	policies      = map[uint32]Policy{}
	input         []byte
	output        []byte
)

// Serve sets the language of this module. It belongs into an init function: main is not run in a reactor.
func Serve(compile Compile) { compilePolicy = compile }

func address(buffer []byte) uint32 {
	return uint32(uintptr(unsafe.Pointer(unsafe.SliceData(buffer))))
}

func answer(value any) uint32 {
	encoded, err := json.Marshal(value)
	if err != nil {
		encoded = []byte(`{"crash":"the answer cannot be encoded"}`)
	}
	output = encoded
	return uint32(len(output))
}

// crashed turns a panic of an evaluator into an answer: its state is of no use any more, and the host drops it.
func crashed(length *uint32) {
	if cause := recover(); cause != nil {
		*length = answer(map[string]string{"crash": fmt.Sprint(cause)})
	}
}

// buffer makes room for size bytes of input and gives the address to write them to.
//
//go:wasmexport buffer
func buffer(size uint32) uint32 {
	input = make([]byte, max(size, 1))
	return address(input)
}

// answerAddress is where the answer to the last call begins.
//
//go:wasmexport answer
func answerAddress() uint32 { return address(output) }

// compile makes the policy whose source is in the buffer and keeps it under id; gives the answer's length.
//
//go:wasmexport compile
func compile(id, size uint32) (length uint32) {
	defer crashed(&length)
	policy, told := compilePolicy(string(input[:size]))
	if told.Fault == nil {
		policies[id] = policy
	}
	return answer(told)
}

// evaluate judges the document in the buffer by the policy kept under id; gives the answer's length.
//
//go:wasmexport evaluate
func evaluate(id, size, strict uint32, unixMs float64) (length uint32) {
	defer crashed(&length)
	policy, known := policies[id]
	if !known {
		return answer(map[string]string{"crash": "there is no such policy"})
	}
	document := input[:size]
	input = nil
	return answer(policy.Evaluate(document, Options{Strict: strict != 0, Now: time.UnixMilli(int64(unixMs)).UTC()}))
}

// release forgets the policy kept under id.
//
//go:wasmexport release
func release(id uint32) { delete(policies, id) }
