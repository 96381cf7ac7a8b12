import { RE2JS } from 're2js';
import { readCelString } from './cel-reader.ts';

/** A value of a document: what CEL is given, every number a double. */
export type CelValue =
  null | boolean | number | string | readonly CelValue[] | { readonly [name: string]: CelValue };

type Scope = Readonly<Record<string, CelValue>>;
type Node = (scope: Scope) => CelValue;

class CelError extends Error {}

/**
 * Evaluates the part of CEL that rules are written in, with its semantics (cel-spec, langdef.md): an operand of another type
 * is an error, `&&` and `||` absorb an error of one side if the other one decides. Throws what CEL calls an error.
 */
export function evaluateCel(source: string, scope: Scope): CelValue {
  const parser = new Parser(tokensOf(source));
  const node = parser.disjunction();
  parser.end();
  return node(scope);
}

interface Token {
  readonly kind: 'string' | 'number' | 'name' | 'sign';
  readonly text: string;
}

const pattern =
  /\s+|(?<number>\d+(?:\.\d+)?(?:e[+-]?\d+)?)|(?<name>[a-zA-Z_]\w*)|(?<sign>&&|\|\||[=!<>]=|[()[\].,!<>-])/y;

function tokensOf(source: string): readonly Token[] {
  const tokens: Token[] = [];
  for (let at = 0; at < source.length;) {
    if (source.charAt(at) === '"') {
      const { value, rest } = readCelString(source.slice(at));
      tokens.push({ kind: 'string', text: value });
      at = source.length - rest.length;
      continue;
    }
    pattern.lastIndex = at;
    const { groups = {} } = pattern.exec(source) ?? {};
    if (pattern.lastIndex <= at) throw new Error(`no CEL: ${source.slice(at, at + 20)}`);
    at = pattern.lastIndex;
    for (const kind of ['number', 'name', 'sign'] as const) {
      const text = groups[kind];
      if (text !== undefined) tokens.push({ kind, text });
    }
  }
  return tokens;
}

const typeNames = ['map', 'list', 'string', 'bool', 'double', 'int'];

class Parser {
  readonly #tokens: readonly Token[];
  #at = 0;

  constructor(tokens: readonly Token[]) {
    this.#tokens = tokens;
  }

  end(): void {
    if (this.#at < this.#tokens.length) throw new Error('something stands behind the expression');
  }

  disjunction(): Node {
    return this.#chain('||', () => this.#chain('&&', () => this.#comparison()));
  }

  #chain(operator: '&&' | '||', part: () => Node): Node {
    let left = part();
    while (this.#takes(operator)) left = logical(operator === '||', left, part());
    return left;
  }

  #comparison(): Node {
    const left = this.#unary();
    for (const operator of ['==', '!=', '<=', '>=', '<', '>', 'in']) {
      if (this.#takes(operator)) {
        const right = this.#unary();
        return (scope) => compare(operator, left(scope), right(scope));
      }
    }
    return left;
  }

  #unary(): Node {
    if (this.#takes('!')) {
      const inner = this.#unary();
      return (scope) => !boolOf(inner(scope));
    }
    if (this.#takes('-')) {
      const inner = this.#unary();
      return (scope) => -Number(inner(scope));
    }
    return this.#member(this.#primary());
  }

  #member(subject: Node): Node {
    if (this.#takes('[')) {
      const key = this.disjunction();
      this.#must(']');
      return this.#member((scope) => indexed(subject(scope), key(scope)));
    }
    if (this.#takes('.')) {
      const method = this.#next().text;
      this.#must('(');
      if (method === 'all') return this.#member(this.#all(subject));
      const argument = this.disjunction();
      this.#must(')');
      if (method !== 'matches') throw new Error(`no method ${method}`);
      return this.#member((scope) => {
        const [text, expression] = [subject(scope), argument(scope)];
        if (typeof text !== 'string' || typeof expression !== 'string')
          throw new CelError('no such overload');
        return RE2JS.compile(expression).test(text);
      });
    }
    return subject;
  }

  #all(subject: Node): Node {
    const variable = this.#next().text;
    this.#must(',');
    const every = this.disjunction();
    this.#must(')');
    return (scope) => {
      const list = subject(scope);
      if (!Array.isArray(list)) throw new CelError('no such overload');
      return (list as readonly CelValue[])
        .map(
          (element): Node =>
            () =>
              every({ ...scope, [variable]: element }),
        )
        .reduce<Node>(
          (left, right) => logical(false, left, right),
          () => true,
        )(scope);
    };
  }

  #primary(): Node {
    const { kind, text } = this.#next();
    if (kind === 'string') return () => text;
    if (kind === 'number') return () => Number(text);
    if (text === '(') {
      const inner = this.disjunction();
      this.#must(')');
      return inner;
    }
    if (kind !== 'name') throw new Error(`an expression begins with ${text}`);
    if (text === 'type' || text === 'size') {
      this.#must('(');
      const inner = this.disjunction();
      this.#must(')');
      return (scope) => (text === 'type' ? typeOf(inner(scope)) : sizeOf(inner(scope)));
    }
    if (text === 'true' || text === 'false') return () => text === 'true';
    if (text === 'null') return () => null;
    return (scope) => {
      const value = scope[text];
      if (value !== undefined) return value;
      if (typeNames.includes(text)) return text;
      throw new CelError(`undeclared reference to ${text}`);
    };
  }

  #takes(text: string): boolean {
    const token = this.#tokens[this.#at];
    const isIt = token !== undefined && token.kind !== 'string' && token.text === text;
    if (isIt) this.#at += 1;
    return isIt;
  }

  #must(text: string): void {
    if (!this.#takes(text)) throw new Error(`${text} is missing`);
  }

  #next(): Token {
    const token = this.#tokens[this.#at];
    if (token === undefined) throw new Error('the expression ends early');
    this.#at += 1;
    return token;
  }
}

/** The side that decides alone is `decisive`. */
function logical(decisive: boolean, left: Node, right: Node): Node {
  return (scope) => {
    try {
      if (boolOf(left(scope)) === decisive) return decisive;
    } catch (error) {
      if (!(error instanceof CelError) || boolOf(right(scope)) !== decisive) throw error;
      return decisive;
    }
    return boolOf(right(scope));
  };
}

function boolOf(value: CelValue): boolean {
  if (typeof value !== 'boolean') throw new CelError('no such overload');
  return value;
}

function compare(operator: string, left: CelValue, right: CelValue): boolean {
  if (operator === 'in') {
    if (!isMap(right)) throw new CelError('no such overload');
    return typeof left === 'string' && Object.hasOwn(right, left);
  }
  if (operator === '==' || operator === '!=') return (left === right) === (operator === '==');
  if (typeof left === 'string' && typeof right === 'string')
    return ordered(operator, Buffer.compare(Buffer.from(left), Buffer.from(right)));
  if (typeof left !== 'number' || typeof right !== 'number') throw new CelError('no such overload');
  return ordered(operator, left - right);
}

function ordered(operator: string, difference: number): boolean {
  if (operator === '<') return difference < 0;
  if (operator === '<=') return difference <= 0;
  return operator === '>' ? difference > 0 : difference >= 0;
}

function indexed(subject: CelValue, key: CelValue): CelValue {
  if (typeof key === 'number' && Array.isArray(subject)) {
    const element = (subject as readonly CelValue[])[key];
    if (element === undefined) throw new CelError('index out of bounds');
    return element;
  }
  if (typeof key !== 'string' || !isMap(subject)) throw new CelError('no such overload');
  const value = Object.hasOwn(subject, key) ? subject[key] : undefined;
  if (value === undefined) throw new CelError(`no such key: ${key}`);
  return value;
}

function isMap(value: CelValue): value is Readonly<Record<string, CelValue>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function typeOf(value: CelValue): string {
  if (value === null) return 'null_type';
  if (Array.isArray(value)) return 'list';
  if (typeof value === 'number') return 'double';
  if (typeof value === 'boolean') return 'bool';
  return typeof value === 'string' ? 'string' : 'map';
}

function sizeOf(value: CelValue): number {
  if (Array.isArray(value)) return value.length;
  throw new CelError('no such overload');
}
