package cuepolicy

import (
	"cuelang.org/go/cue"

	"chainwright.dev/policy-engine/internal/verdict"
)

// missing is strict mode: what unification has added to the document came from the policy, so a field of the unified
// value that the document lacks is one that the policy names and nobody has attested. Optional fields (`n?:`), hidden
// fields (`_n`), definitions (`#n`) and `let` name nothing. Of a disjunction one alternative has to be there entirely.
func (p *policy) missing(unified, found cue.Value) []verdict.Message {
	w := &walk{policy: p.value}
	for _, name := range p.blind {
		w.add(verdict.Message{
			Reason: verdict.Unsupported,
			Text:   name + " cannot be checked for absent fields; write the rule without it, or use permissive mode",
		})
	}
	w.compare(unified, found, cue.Path{})
	return w.messages
}

type walk struct {
	policy   cue.Value
	messages []verdict.Message
}

func (w *walk) add(message verdict.Message) {
	if len(w.messages) < verdict.MaxMessages {
		w.messages = append(w.messages, message)
	}
}

// ruleAt is the rule as the policy writes it, where it stands in the policy at that path.
func (w *walk) ruleAt(path cue.Path, unified cue.Value) cue.Value {
	if rule := w.policy.LookupPath(path); rule.Exists() {
		return rule
	}
	return unified
}

func (w *walk) absent(path cue.Path, rule cue.Value) {
	w.add(verdict.Message{
		Reason:   verdict.Absent,
		Path:     path.String(),
		Expected: shown(rule),
		Text:     "field is absent from the document",
	})
}

func (w *walk) incomplete(path cue.Path, rule cue.Value, err error) {
	text := "the rule could not be decided"
	if err != nil {
		text = err.Error()
	}
	w.add(verdict.Message{
		Reason:   verdict.Incomplete,
		Path:     path.String(),
		Expected: shown(rule),
		Text:     verdict.Shortened(text),
	})
}

func (w *walk) compare(unified, found cue.Value, path cue.Path) {
	if isDisjunction(unified) {
		if err := unified.Subsume(found); err != nil {
			w.add(verdict.Message{
				Reason:   verdict.Absent,
				Path:     path.String(),
				Expected: shown(w.ruleAt(path, unified)),
				Found:    shown(found),
				Text:     "no alternative of the rule is present entirely",
			})
		}
		return
	}
	switch unified.IncompleteKind() {
	case cue.StructKind:
		w.compareFields(unified, found, path)
	case cue.ListKind:
		w.compareElements(unified, found, path)
	default:
		if err := unified.Validate(cue.Concrete(true)); err != nil {
			w.incomplete(path, unified, err)
		}
	}
}

func isDisjunction(value cue.Value) bool {
	if _, hasDefault := value.Default(); hasDefault && value.IncompleteKind() != cue.ListKind {
		return true
	}
	return value.IncompleteKind()&(cue.StructKind|cue.ListKind) != 0 && !value.IsConcrete() && value.Err() == nil
}

func (w *walk) compareFields(unified, found cue.Value, path cue.Path) {
	if err := unified.Err(); err != nil {
		w.incomplete(path, unified, err)
	}
	fields, err := unified.Fields(cue.Optional(true), cue.Hidden(true))
	if err != nil {
		w.incomplete(path, unified, err)
		return
	}
	for fields.Next() {
		selector := fields.Selector()
		switch {
		case selector.LabelType() == cue.HiddenLabel:
			w.hidden(fields.Value(), below(path, selector))
		case selector.LabelType() != cue.StringLabel || selector.ConstraintType() == cue.OptionalConstraint:
			continue
		default:
			w.compareMember(fields.Value(), found, path, cue.Str(selector.Unquoted()))
		}
	}
}

// compareMember goes on with a field or an element, if the document has it.
func (w *walk) compareMember(unified, found cue.Value, path cue.Path, member cue.Selector) {
	there := found.LookupPath(cue.MakePath(member))
	if there.Exists() {
		w.compare(unified, there, below(path, member))
	} else {
		w.absent(below(path, member), unified)
	}
}

func below(path cue.Path, member cue.Selector) cue.Path {
	return cue.MakePath(append(path.Selectors(), member)...)
}

// hidden looks into a field that is no part of the document but may compute with it: what it computes has to be
// decided, but it may hold schemas, which are not concrete by nature.
func (w *walk) hidden(value cue.Value, path cue.Path) {
	value.Walk(func(part cue.Value) bool {
		err := part.Err()
		if err != nil {
			w.incomplete(path, value, err)
		}
		return err == nil
	}, nil)
}

func (w *walk) compareElements(unified, found cue.Value, path cue.Path) {
	elements, err := unified.List()
	if err != nil {
		w.incomplete(path, unified, err)
		return
	}
	for index := 0; elements.Next(); index++ {
		w.compareMember(elements.Value(), found, path, cue.Index(index))
	}
}

const maxNames = 200

// namesOf lists the regular leaf fields of a policy that stand in it without any document.
func namesOf(value cue.Value) []string {
	var names []string
	var visit func(value cue.Value, path []cue.Selector)
	visit = func(value cue.Value, path []cue.Selector) {
		if len(names) == maxNames {
			return
		}
		leaf := true
		if value.IncompleteKind() == cue.StructKind {
			if fields, err := value.Fields(); err == nil {
				for fields.Next() {
					leaf = false
					visit(fields.Value(), append(path[:len(path):len(path)], fields.Selector()))
				}
			}
		}
		if leaf && len(path) > 0 {
			names = append(names, cue.MakePath(path...).String())
		}
	}
	visit(value, nil)
	return names
}
