package cuepolicy

import (
	"slices"
	"strings"

	"cuelang.org/go/cue/ast"
	"cuelang.org/go/cue/literal"
	"cuelang.org/go/cue/parser"
	"cuelang.org/go/cue/token"

	"chainwright.dev/policy-engine/internal/verdict"
)

// outlineOf writes a policy down for those who have to say it in another language. It goes by the syntax and knows a
// small part of CUE; every node outside of that part stands there as Unsupported, so that nothing is left out unsaid.
func outlineOf(source string) *verdict.Rule {
	file, err := parser.ParseFile("", source)
	if err != nil {
		return nil
	}
	w := &outliner{nodes: maxOutlineNodes}
	ast.Walk(file, func(node ast.Node) bool {
		if ident, isIdent := labelOf(node).(*ast.Ident); isIdent {
			w.declared = append(w.declared, ident.Name)
		}
		return true
	}, nil)
	rule := w.fields(file.Decls)
	return &rule
}

const (
	maxOutlineNodes = 2000
	maxOutlineDepth = 40
)

type outliner struct {
	// declared are the names that a field of the policy has: one of them is no longer the type of that name.
	declared []string
	nodes    int
	depth    int
}

func labelOf(node ast.Node) ast.Node {
	if field, isField := node.(*ast.Field); isField {
		return field.Label
	}
	return nil
}

func unsupported(node ast.Node, why string) verdict.Rule {
	return verdict.Rule{Kind: verdict.UnsupportedRule, Text: why, Line: node.Pos().Line()}
}

func (w *outliner) fields(decls []ast.Decl) verdict.Rule {
	fields := verdict.Rule{Kind: verdict.StructRule}
	all := verdict.Rule{Kind: verdict.AllRule}
	for _, decl := range decls {
		switch one := decl.(type) {
		case *ast.Package, *ast.CommentGroup:
		case *ast.Ellipsis:
			if one.Type != nil {
				all.Rules = append(all.Rules, unsupported(one, "a rule for all other fields"))
			}
		case *ast.Field:
			if rule := w.field(one); rule.Kind == verdict.UnsupportedRule {
				all.Rules = append(all.Rules, rule)
			} else {
				fields.Rules = append(fields.Rules, rule)
			}
		case *ast.ImportDecl:
			all.Rules = append(all.Rules, unsupported(one, "an import"))
		case *ast.EmbedDecl:
			all.Rules = append(all.Rules, unsupported(one, "an embedded value"))
		case *ast.Comprehension:
			all.Rules = append(all.Rules, unsupported(one, "a comprehension"))
		case *ast.LetClause:
			all.Rules = append(all.Rules, unsupported(one, "let"))
		case *ast.Attribute:
			all.Rules = append(all.Rules, unsupported(one, "an attribute"))
		default:
			all.Rules = append(all.Rules, unsupported(one, "a declaration of another kind"))
		}
	}
	if len(all.Rules) == 0 {
		return fields
	}
	all.Rules = append(all.Rules, fields)
	return all
}

func (w *outliner) field(field *ast.Field) verdict.Rule {
	if len(field.Attrs) > 0 {
		return unsupported(field, "an attribute")
	}
	var name string
	switch label := field.Label.(type) {
	case *ast.Ident:
		if strings.HasPrefix(label.Name, "_") || strings.HasPrefix(label.Name, "#") {
			return unsupported(field, "a hidden field or definition")
		}
		name = label.Name
	case *ast.BasicLit:
		unquoted, isText := textOf(label)
		if !isText {
			return unsupported(field, "a label of this kind")
		}
		name = unquoted
	default:
		return unsupported(field, "a pattern or computed label")
	}
	optional := field.Constraint == token.OPTION
	return verdict.Rule{Kind: verdict.FieldRule, Text: name, Optional: optional, Rules: []verdict.Rule{w.value(field.Value)}}
}

func (w *outliner) value(expr ast.Expr) verdict.Rule {
	w.nodes--
	if w.nodes < 0 || w.depth >= maxOutlineDepth {
		return unsupported(expr, "a policy of this size")
	}
	w.depth++
	defer func() { w.depth-- }()
	switch one := expr.(type) {
	case *ast.ParenExpr:
		return w.value(one.X)
	case *ast.BasicLit:
		return constant(one, false)
	case *ast.Ident:
		return w.named(one)
	case *ast.UnaryExpr:
		return unary(one)
	case *ast.BinaryExpr:
		return w.binary(one)
	case *ast.StructLit:
		return w.fields(one.Elts)
	case *ast.ListLit:
		return w.list(one)
	case *ast.Interpolation:
		return unsupported(one, "an interpolation")
	case *ast.CallExpr:
		return unsupported(one, "a function call")
	default:
		return unsupported(one, "an expression of this kind")
	}
}

var typeNames = []string{"string", "bool", "number", "int", "float"}

func (w *outliner) named(ident *ast.Ident) verdict.Rule {
	if ident.Name == "_" {
		return verdict.Rule{Kind: verdict.AnyRule}
	}
	if !slices.Contains(typeNames, ident.Name) || slices.Contains(w.declared, ident.Name) {
		return unsupported(ident, "a reference or type of this kind")
	}
	return verdict.Rule{Kind: verdict.TypeRule, Text: ident.Name}
}

// constant is a literal; negative is one behind a minus.
func constant(lit *ast.BasicLit, negative bool) verdict.Rule {
	rule := verdict.Rule{Kind: verdict.EqualRule}
	switch lit.Kind {
	case token.STRING:
		text, isText := textOf(lit)
		if !isText || negative {
			return unsupported(lit, "bytes or a string of this kind")
		}
		rule.Type, rule.Text = "string", text
	case token.INT, token.FLOAT:
		var number literal.NumInfo
		if err := literal.ParseNum(lit.Value, &number); err != nil {
			return unsupported(lit, "a number of this kind")
		}
		rule.Type, rule.Text = "float", number.String()
		if number.IsInt() {
			rule.Type = "int"
		}
		if negative {
			rule.Text = "-" + rule.Text
		}
	case token.TRUE, token.FALSE:
		rule.Type, rule.Text = "bool", lit.Value
	case token.NULL:
		rule.Type = "null"
	default:
		return unsupported(lit, "a literal of this kind")
	}
	return rule
}

// textOf is the content of a string literal; false for bytes and what is malformed.
func textOf(lit *ast.BasicLit) (string, bool) {
	if lit.Kind != token.STRING || strings.HasPrefix(strings.TrimLeft(lit.Value, "#"), "'") {
		return "", false
	}
	text, err := literal.Unquote(lit.Value)
	return text, err == nil
}

var bounds = map[token.Token]string{
	token.LSS: "<", token.LEQ: "<=", token.GTR: ">", token.GEQ: ">=", token.NEQ: "!=", token.MAT: "=~", token.NMAT: "!~",
}

func unary(expr *ast.UnaryExpr) verdict.Rule {
	operand, negative := expr.X, false
	if expr.Op == token.SUB {
		if lit, isLit := operand.(*ast.BasicLit); isLit {
			return constant(lit, true)
		}
		return unsupported(expr, "a computation")
	}
	operator, isBound := bounds[expr.Op]
	if !isBound {
		return unsupported(expr, "an operator of this kind")
	}
	if minus, isUnary := operand.(*ast.UnaryExpr); isUnary && minus.Op == token.SUB {
		operand, negative = minus.X, true
	}
	lit, isLit := operand.(*ast.BasicLit)
	if !isLit {
		return unsupported(expr, "a bound that is computed")
	}
	rule := constant(lit, negative)
	if rule.Kind == verdict.EqualRule {
		rule.Kind, rule.Operator = verdict.BoundRule, operator
	}
	return rule
}

func (w *outliner) binary(expr *ast.BinaryExpr) verdict.Rule {
	kind := verdict.AllRule
	switch expr.Op {
	case token.AND:
	case token.OR:
		kind = verdict.OneRule
	default:
		return unsupported(expr, "a computation")
	}
	rule := verdict.Rule{Kind: kind}
	for _, side := range []ast.Expr{expr.X, expr.Y} {
		part := w.value(side)
		if part.Kind == kind {
			rule.Rules = append(rule.Rules, part.Rules...)
		} else {
			rule.Rules = append(rule.Rules, part)
		}
	}
	return rule
}

func (w *outliner) list(list *ast.ListLit) verdict.Rule {
	rule := verdict.Rule{Kind: verdict.ListRule}
	for _, element := range list.Elts {
		if rest, isEllipsis := element.(*ast.Ellipsis); isEllipsis {
			rule.Open = true
			if rest.Type != nil {
				of := w.value(rest.Type)
				rule.Rest = &of
			}
			continue
		}
		rule.Rules = append(rule.Rules, w.value(element))
	}
	return rule
}
