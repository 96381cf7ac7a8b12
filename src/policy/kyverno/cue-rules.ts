import { RE2JS } from 're2js';
import type { OutlineConstant, OutlineField, OutlineRule } from '../evaluation/policy-outline.ts';
import { allOf, anyOf, celString } from './cel-text.ts';
import type { LimitationCode, NoteLimitation } from './limitation.ts';

/** Where a rule is about. */
export interface RuleContext {
  /** The attestation or policy that limitations name. */
  readonly where: string;
  readonly note: NoteLimitation;
  /**
   * `double`: the engine reads every number of the document as one, and cannot tell 1 from 1.0; `int`: whole numbers are
   * those of a Kubernetes object.
   */
  readonly numbers: 'double' | 'int';
}

type RuleOf<Kind extends OutlineRule['kind']> = Extract<OutlineRule, { kind: Kind }>;

/**
 * A CEL expression that is true only if the value of `subject`, an expression itself, complies with a rule of strict mode:
 * fields have to be there, and have the type that the rule is about. What CEL cannot say is `false`, and noted.
 */
export function celOfRule(rule: OutlineRule, subject: string, context: RuleContext): string {
  return new RuleWriter(context).write(rule, subject);
}

class RuleWriter {
  readonly #context: RuleContext;
  #variables = 0;

  constructor(context: RuleContext) {
    this.#context = context;
  }

  write(rule: OutlineRule, subject: string): string {
    switch (rule.kind) {
      case 'any':
        return 'true';
      case 'type':
        return this.#type(rule, subject);
      case 'equal':
        return this.#equal(rule, subject);
      case 'bound':
        return this.#bound(rule, subject);
      case 'all':
        return allOf(rule.rules.map((part) => this.write(part, subject)));
      case 'one':
        return this.#one(rule, subject);
      case 'struct':
        return allOf([isOfType(subject, 'map'), ...rule.rules.map((field) => this.#field(field, subject))]);
      case 'list':
        return this.#list(rule, subject);
      case 'unsupported':
        return this.#refuse('cue', `line ${rule.line}: ${rule.text} cannot be said in CEL`);
    }
  }

  #type({ text }: RuleOf<'type'>, subject: string): string {
    const { numbers } = this.#context;
    if (text === 'string' || text === 'bool') return isOfType(subject, text);
    if (text === 'number') return isOfType(subject, numbers);
    if (text === 'int' && numbers === 'int') return isOfType(subject, 'int');
    return this.#refuse('cue-number', `the type ${text} cannot be told from other numbers`);
  }

  #equal({ type, text }: RuleOf<'equal'>, subject: string): string {
    switch (type) {
      case 'null':
        return `${subject} == null`;
      case 'bool':
        return allOf([isOfType(subject, 'bool'), `${subject} == ${text === 'true' ? 'true' : 'false'}`]);
      case 'string':
        return allOf([isOfType(subject, 'string'), `${subject} == ${celString(text)}`]);
      default:
        return this.#number({ type, text }, '==', subject);
    }
  }

  #bound({ type, text, operator }: RuleOf<'bound'>, subject: string): string {
    if (type === 'null' && operator === '!=') return `${subject} != null`;
    if (type === 'string') {
      const isText = isOfType(subject, 'string');
      if (operator !== '=~' && operator !== '!~')
        return allOf([isText, `${subject} ${operator} ${celString(text)}`]);
      if (!isExpression(text)) return this.#refuse('cue', 'a regular expression that is none');
      const found = `${subject}.matches(${celString(text)})`;
      return allOf([isText, operator === '=~' ? found : `!${found}`]);
    }
    if ((type === 'int' || type === 'float') && operator !== '=~' && operator !== '!~') {
      return this.#number({ type, text }, operator, subject);
    }
    return this.#refuse('cue', `${operator} ${type} cannot be said in CEL`);
  }

  /**
   * A whole number of an object is exact. A double stands for every number that rounds to it: if it is on one side of
   * another double, so are all of them, but of equal ones nothing is known.
   */
  #number({ type, text }: OutlineConstant, operator: string, subject: string): string {
    if (this.#context.numbers === 'int') {
      const isWhole = type === 'int' && Number.isSafeInteger(Number(text));
      if (!isWhole) return this.#refuse('cue-number', `${text} is no whole number of CEL`);
      return allOf([isOfType(subject, 'int'), `${subject} ${operator} ${Number(text)}`]);
    }
    const value = Number(text);
    if (text === '' || !Number.isFinite(value))
      return this.#refuse('cue-number', `${text} is no number of CEL`);
    if (operator === '==') {
      return this.#refuse(
        'cue-number',
        `equal to ${text}: 1 cannot be told from 1.0, nor from a number close by`,
      );
    }
    const strict = operator.replace(/^([<>])=$/, '$1');
    if (strict !== operator) {
      const why = `${operator} ${text}: the bound itself is refused, since a number close by cannot be told from it`;
      this.#note('cue-number', why);
    }
    return allOf([isOfType(subject, 'double'), `${subject} ${strict} ${celDouble(value)}`]);
  }

  /** Alternatives that are structs may both match, which CUE leaves undecided: only those of scalars are the same in CEL. */
  #one({ rules }: { readonly rules: readonly OutlineRule[] }, subject: string): string {
    const isMixed = !rules.every(isScalar);
    const parts = rules.map((part) => {
      if (!isScalar(part)) {
        return this.#refuse('cue', 'an alternative that is no text, number, boolean or null');
      }
      // It is met by structs and lists too, as the alternative beside it may be.
      if (isMixed && isNotNull(part)) return this.#refuse('cue', '!=null beside a struct or a list');
      return this.write(part, subject);
    });
    return anyOf(parts);
  }

  #field({ text: name, optional, rules: [rule = { kind: 'any' }] }: OutlineField, subject: string): string {
    const key = celString(name);
    const isThere = `${key} in ${subject}`;
    const complies = this.write(rule, `${subject}[${key}]`);
    if (!optional) return allOf([isThere, complies]);
    return complies === 'true' ? 'true' : `(!(${isThere}) || ${complies})`;
  }

  #list({ rules, open, rest }: RuleOf<'list'>, subject: string): string {
    const size = `size(${subject}) ${open ? '>=' : '=='} ${rules.length}`;
    const elements = rules.map((rule, index) => this.write(rule, `${subject}[${index}]`));
    const isList = isOfType(subject, 'list');
    const sized = open && rules.length === 0 ? 'true' : size;
    if (rest === undefined) return allOf([isList, sized, ...elements]);
    if (rules.length > 0) {
      return this.#refuse('cue', 'a list with elements before "..." of a type');
    }
    this.#variables += 1;
    const variable = `e${this.#variables}`;
    const every = this.write(rest, variable);
    const all = every === 'true' ? 'true' : `${subject}.all(${variable}, ${every})`;
    return allOf([isList, sized, all]);
  }

  #refuse(code: LimitationCode, message: string): 'false' {
    this.#note(code, `${message}; the rule never passes`);
    return 'false';
  }

  #note(code: LimitationCode, message: string): void {
    this.#context.note({ code, where: this.#context.where, message });
  }
}

function isOfType(subject: string, type: 'map' | 'list' | 'string' | 'bool' | 'double' | 'int'): string {
  return `type(${subject}) == ${type}`;
}

function isScalar({ kind }: OutlineRule): boolean {
  return kind === 'equal' || kind === 'type' || kind === 'bound' || kind === 'unsupported';
}

function isNotNull(rule: OutlineRule): boolean {
  return rule.kind === 'bound' && rule.type === 'null';
}

function isExpression(text: string): boolean {
  try {
    RE2JS.compile(text);
    return true;
  } catch {
    return false;
  }
}

function celDouble(value: number): string {
  const text = String(Object.is(value, -0) ? 0 : value);
  return /[.e]/.test(text) ? text : `${text}.0`;
}
