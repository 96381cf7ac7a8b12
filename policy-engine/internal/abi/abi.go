// Package abi is the border between a policy language and its host: WebAssembly exports that take bytes out of one
// buffer and leave a JSON answer in another. The host is src/policy/evaluation/engine-instance.ts.
package abi

import (
	"encoding/json"
	"fmt"
	"runtime/debug"
	"time"
	"unsafe"

	"chainwright.dev/policy-engine/internal/verdict"
)

// Compile is what a language gives: a policy, what there is to tell of it, or the fault.
type Compile func(source string) (verdict.Policy, verdict.Compiled)

var (
	compilePolicy Compile
	policies      = map[uint32]verdict.Policy{}
	input         []byte
	output        []byte
)

// Serve sets the language of this module. It belongs into an init function: main is not run in a reactor.
func Serve(compile Compile) {
	compilePolicy = compile
	// Marking has no second thread here, and most of what an evaluation makes is dead when it ends.
	debug.SetGCPercent(gcPercent)
	debug.SetMemoryLimit(softMemoryLimit)
}

const (
	// Policies stay small, so that even so a collection is seldom; 400 took four times the memory for a twentieth less time.
	gcPercent = 200
	// Three quarters of the module's memory: beyond, collecting is cheaper than growing.
	softMemoryLimit = 384 << 20
)

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
	if !json.Valid(document) || tooDeep(document) {
		return answer(map[string]bool{"notJSON": true})
	}
	now := time.UnixMilli(int64(unixMs)).UTC()
	return answer(policy.Evaluate(document, verdict.Options{Strict: strict != 0, Now: now}))
}

// maxDepth keeps the evaluators' recursion far from the end of the host's stack; real documents stay below fifty.
const maxDepth = 512

// tooDeep looks for more than maxDepth open brackets in valid JSON.
func tooDeep(document []byte) bool {
	depth, inString := 0, false
	for i := 0; i < len(document); i++ {
		switch c := document[i]; {
		case inString && c == '\\':
			i++
		case c == '"':
			inString = !inString
		case inString:
		case c == '{' || c == '[':
			if depth++; depth > maxDepth {
				return true
			}
		case c == '}' || c == ']':
			depth--
		}
	}
	return false
}

// release forgets the policy kept under id.
//
//go:wasmexport release
func release(id uint32) { delete(policies, id) }
