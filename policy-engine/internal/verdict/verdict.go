// Package verdict holds what the policy languages answer; the host reads it as JSON (src/policy/evaluation/answers.ts).
package verdict

import "time"

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
	// Outline is a CUE policy written down for those who have to say it in another language.
	Outline *Rule `json:"outline,omitempty"`
}

// Why a document does not comply.
const (
	// Conflict: the document's value and the rule exclude each other.
	Conflict = "conflict"
	// Absent: strict mode; the policy names a field that the document lacks.
	Absent = "absent"
	// Incomplete: strict mode; a rule could not be decided.
	Incomplete = "incomplete"
	// Unsupported: strict mode; the policy uses what presence cannot be checked through.
	Unsupported = "unsupported"
	// NotCompliant: a Rego policy says no.
	NotCompliant = "not-compliant"
	// Evaluation: the evaluator itself failed on policy or document.
	Evaluation = "evaluation"
)

// A Message is one reason why a document does not comply.
type Message struct {
	Reason   string `json:"reason"`
	Path     string `json:"path"`
	Expected string `json:"expected,omitempty"`
	Found    string `json:"found,omitempty"`
	// Text is the evaluator's own wording, without the path.
	Text string `json:"text"`
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

// MaxMessages bounds an answer; a document that fails a hundred checks is not explained better by more.
const MaxMessages = 100

// MaxValue is how many bytes of a value a message shows.
const MaxValue = 300

// Shortened cuts a shown value to MaxValue bytes, at a character's end.
func Shortened(text string) string {
	if len(text) <= MaxValue {
		return text
	}
	end := MaxValue
	for end > 0 && text[end]&0xC0 == 0x80 {
		end--
	}
	return text[:end] + "..."
}
