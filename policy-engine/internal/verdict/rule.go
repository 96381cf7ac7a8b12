package verdict

// What a rule of an outline is.
const (
	// AnyRule: the value has to be there.
	AnyRule = "any"
	// TypeRule: Text is string, bool, number, int or float.
	TypeRule = "type"
	// EqualRule: the constant in Type and Text.
	EqualRule = "equal"
	// BoundRule: Operator holds between the value and the constant in Type and Text.
	BoundRule = "bound"
	// AllRule: each of Rules.
	AllRule = "all"
	// OneRule: one of Rules.
	OneRule = "one"
	// StructRule: a struct, open, with Rules for fields.
	StructRule = "struct"
	// FieldRule: the field named Text is as its one rule says; it has to be there unless it is Optional.
	FieldRule = "field"
	// ListRule: a list that begins with Rules; closed unless it is Open, then Rest is about the other elements.
	ListRule = "list"
	// UnsupportedRule: something that an outline cannot say, named by Text.
	UnsupportedRule = "unsupported"
)

// A Rule is a part of a policy.
type Rule struct {
	Kind     string `json:"kind"`
	Type     string `json:"type,omitempty"`
	Text     string `json:"text,omitempty"`
	Operator string `json:"operator,omitempty"`
	Optional bool   `json:"optional,omitempty"`
	Open     bool   `json:"open,omitempty"`
	Line     int    `json:"line,omitempty"`
	Rules    []Rule `json:"rules,omitempty"`
	Rest     *Rule  `json:"rest,omitempty"`
}
