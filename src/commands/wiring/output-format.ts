import { Option } from 'commander';
import { stringify } from 'yaml';

const formats = ['table', 'json', 'yaml'] as const;

/** A value of `--output`. */
export type OutputFormat = (typeof formats)[number];

/** The option `--output`, the same for every command that prints a result. */
export function outputOption(): Option {
  return new Option('-o, --output <format>', 'how the result is printed').choices(formats).default('table');
}

/** The result in the asked form; `asText` makes the one for people. Ends with a line break. */
export function formatOutput(result: unknown, format: OutputFormat, asText: () => string): string {
  switch (format) {
    case 'json':
      return `${JSON.stringify(result, undefined, 2)}\n`;
    case 'yaml':
      // No aliases: what is said twice is written twice, as kubectl does.
      return stringify(result, { aliasDuplicateObjects: false, lineWidth: 0 });
    case 'table':
      return asText();
  }
}
