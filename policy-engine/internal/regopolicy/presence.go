package regopolicy

import (
	"encoding/json"
	"slices"
	"strconv"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"

	"chainwright.dev/policy-engine/internal/verdict"
)

// A path leads from the document's root to a field: member names and list positions.
type path []string

func (p path) String() string { return strings.Join(p, ".") }

// In Rego a rule about an absent field is undefined and so doesn't hold, which refuses by itself, except where not
// holding is what the policy wants: below a negation, in a comprehension (that stays empty), in a partial rule (the
// same), and where a default or an else steps in. Strict mode asks for the fields that are named there.
type presence struct {
	compiler *ast.Compiler
	visited  map[*ast.Rule]bool
	emptied  map[*ast.Rule]bool
	asked    []path
}

func askedPaths(source string) []path {
	module, err := ast.ParseModuleWithOpts(moduleName, source, ast.ParserOptions{RegoVersion: ast.RegoV0})
	if err != nil {
		return nil
	}
	compiler := ast.NewCompiler().WithDefaultRegoVersion(ast.RegoV0)
	if compiler.Compile(map[string]*ast.Module{moduleName: module}); compiler.Failed() {
		return nil
	}
	p := &presence{compiler: compiler, visited: map[*ast.Rule]bool{}, emptied: map[*ast.Rule]bool{}}
	p.follow(ast.MustParseRef(ruleRef), true)
	slices.SortFunc(p.asked, func(a, b path) int { return strings.Compare(a.String(), b.String()) })
	return slices.CompactFunc(p.asked, func(a, b path) bool { return a.String() == b.String() })
}

// aliases are the variables that stand for a fixed part of the document.
type aliases map[ast.Var]path

// follow goes into the rules behind a reference; asTruth says that only their being true counts.
func (p *presence) follow(ref ast.Ref, asTruth bool) {
	rules := p.compiler.GetRules(ref)
	if len(rules) == 0 {
		rules = p.compiler.GetRulesForVirtualDocument(ref)
	}
	standIn := slices.ContainsFunc(rules, func(rule *ast.Rule) bool {
		partial := rule.Head.DocKind() != ast.CompleteDoc && rule.Head.Name != binding
		falseDefault := rule.Default && asTruth && ast.Boolean(false).Compare(rule.Head.Value.Value) == 0
		return partial || rule.Else != nil || (rule.Default && !falseDefault)
	})
	for _, rule := range rules {
		if standIn {
			p.empty(rule, aliases{})
		} else if !p.visited[rule] {
			p.visited[rule] = true
			p.body(rule.Body, aliases{})
			p.term(rule.Head.Value, aliases{})
			p.term(rule.Head.Key, aliases{})
		}
	}
}

// body looks for places where an absent field is taken well.
func (p *presence) body(body ast.Body, outer aliases) {
	known := knownIn(body, outer)
	for _, expr := range body {
		switch terms := expr.Terms.(type) {
		case *ast.Term:
			ref, isRef := terms.Value.(ast.Ref)
			switch {
			case expr.Negated:
				p.empty(expr, known)
			case isRef && p.isRule(ref):
				p.follow(ref, true)
			default:
				p.term(terms, known)
			}
		case []*ast.Term:
			if expr.Negated {
				p.empty(expr, known)
				continue
			}
			for _, term := range terms {
				p.term(term, known)
			}
		case *ast.Every:
			p.term(terms.Domain, known)
			p.body(terms.Body, known)
		}
	}
}

func (p *presence) isRule(ref ast.Ref) bool { return ref.HasPrefix(ast.DefaultRootRef) }

// term looks into what an expression is made of: comprehensions stay empty, references to rules are followed.
func (p *presence) term(term *ast.Term, known aliases) {
	if term == nil {
		return
	}
	ast.NewGenericVisitor(func(node any) bool {
		switch value := node.(type) {
		case *ast.ArrayComprehension, *ast.SetComprehension, *ast.ObjectComprehension:
			p.empty(value, known)
			return true
		case ast.Ref:
			if p.isRule(value) {
				p.follow(value.ConstantPrefix(), false)
			}
		}
		return false
	}).Walk(term)
}

// empty asks for all that is named below a node, the rules that it leads to included.
func (p *presence) empty(node any, known aliases) {
	if rule, isRule := node.(*ast.Rule); isRule {
		if p.emptied[rule] {
			return
		}
		p.emptied[rule] = true
	}
	known = knownBelow(node, known)
	ast.WalkRefs(node, func(ref ast.Ref) bool {
		if p.isRule(ref) {
			for _, rule := range p.compiler.GetRules(ref.ConstantPrefix()) {
				p.empty(rule, aliases{})
			}
		} else if named := pathOf(ref, known); len(named) > 0 {
			p.asked = append(p.asked, named)
		}
		return false
	})
}

func knownBelow(node any, outer aliases) aliases {
	known := outer
	ast.WalkBodies(node, func(body ast.Body) bool {
		known = knownIn(body, known)
		return false
	})
	return known
}

// knownIn adds the variables that a body sets to a part of the document (`x := input.predicate`).
func knownIn(body ast.Body, outer aliases) aliases {
	known := aliases{}
	for name, value := range outer {
		known[name] = value
	}
	for _, expr := range body {
		if !expr.IsEquality() || expr.Negated {
			continue
		}
		for _, sides := range [][2]*ast.Term{{expr.Operand(0), expr.Operand(1)}, {expr.Operand(1), expr.Operand(0)}} {
			name, isVar := sides[0].Value.(ast.Var)
			ref, isRef := sides[1].Value.(ast.Ref)
			if isVar && isRef && len(ref.ConstantPrefix()) == len(ref) {
				if named := pathOf(ref, known); len(named) > 0 {
					known[name] = named
				}
			}
		}
	}
	return known
}

// pathOf is the fixed part of a reference into the document: `input.a.b[_].c` gives a.b.
func pathOf(ref ast.Ref, known aliases) path {
	head, isVar := ref[0].Value.(ast.Var)
	if !isVar {
		return nil
	}
	var named path
	if !ref[0].Equal(ast.InputRootDocument) {
		alias, isAlias := known[head]
		if !isAlias {
			return nil
		}
		named = slices.Clone(alias)
	}
	for _, term := range ref[1:] {
		switch part := term.Value.(type) {
		case ast.String:
			named = append(named, string(part))
		case ast.Number:
			named = append(named, part.String())
		default:
			return named
		}
	}
	return named
}

// missing lists the asked paths that the document lacks.
func missing(document any, asked []path) []verdict.Message {
	var messages []verdict.Message
	for _, one := range asked {
		if !has(document, one) && len(messages) < verdict.MaxMessages {
			messages = append(messages, verdict.Message{
				Reason: verdict.Absent,
				Path:   one.String(),
				Text:   "field is absent from the document, and the policy would take that for compliance",
			})
		}
	}
	return messages
}

func has(document any, asked path) bool {
	at := document
	for _, part := range asked {
		switch container := at.(type) {
		case map[string]any:
			member, there := container[part]
			if !there {
				return false
			}
			at = member
		case []any:
			index, err := strconv.Atoi(part)
			if err != nil || index < 0 || index >= len(container) {
				return false
			}
			at = container[index]
		case json.Number, string, bool, nil:
			return false
		}
	}
	return true
}
