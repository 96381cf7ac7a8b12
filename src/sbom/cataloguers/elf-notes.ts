import { readWhole } from '../cataloguer.ts';
import type { Cataloguer, FactStream, FoundComponent, FoundFile } from '../cataloguer.ts';
import { identify } from './formats/component-identity.ts';
import { ElfFile } from './formats/elf-file.ts';
import { ElfTail, heldElfBytes } from './formats/elf-tail.ts';
import { asText, defined, parseJsonObject } from './formats/json-fields.ts';

/** What the linker noted about the package that a program was built for. */
export interface ElfPackageNote {
  readonly type: string;
  readonly name: string;
  readonly version: string;
  readonly arch?: string;
  readonly os?: string;
  readonly osVersion?: string;
}

const packageNote = 0xcafe1a7e;
const maxProgramBytes = 64 * 1024 * 1024;

/**
 * Programs that say which distribution package they were built for, in an image without that distribution's database:
 * the note `.note.package` ("Package Metadata for Executable Files", UAPI group). Where a database owns the file, it
 * knows more.
 */
export const elfNotes: Cataloguer<ElfPackageNote> = {
  name: 'elf-notes',
  version: 1,
  rules: [
    {
      select: { magic: ['elf'], accept: ({ size }) => size <= heldElfBytes },
      maxBytes: heldElfBytes,
      parse: readNote,
    },
    {
      select: { magic: ['elf'], accept: ({ size }) => size <= maxProgramBytes },
      open: openLarge,
      whole: { select: { magic: ['elf'] }, maxBytes: maxProgramBytes, parse: readNote },
    },
  ],
  assemble(view) {
    const unowned = view.files.filter(({ path }) => view.ownerOf(path) === undefined);
    return { components: unowned.map(componentOf) };
  },
};

function readNote(content: Uint8Array): ElfPackageNote | undefined {
  const notes = ElfFile.open(content)?.notes() ?? [];
  const note = notes.find(({ owner, type }) => owner === 'FDO' && type === packageNote);
  return note === undefined ? undefined : parsePackageNote(note.content);
}

function openLarge(): FactStream<ElfPackageNote> {
  const tail = new ElfTail();
  return {
    write: (chunk) => {
      tail.write(chunk);
    },
    end: () => (tail.mayName('.note.package') ? readWhole : undefined),
  };
}

/** Reads the note's JSON, which NUL bytes fill up; undefined without type, name or version. */
export function parsePackageNote(content: Uint8Array): ElfPackageNote | undefined {
  const end = content.indexOf(0);
  const fields = parseJsonObject(end < 0 ? content : content.subarray(0, end));
  const [type, name, version] = ['type', 'name', 'version'].map((field) => asText(fields[field]));
  if (type === undefined || name === undefined || version === undefined || !/^[a-z]+$/.test(type))
    return undefined;
  const { architecture, os, osVersion } = fields;
  return {
    type,
    name,
    version,
    ...defined({ arch: asText(architecture), os: asText(os), osVersion: asText(osVersion) }),
  };
}

function componentOf({ path, layer, fact }: FoundFile<ElfPackageNote>): FoundComponent {
  const { type, name, version, arch, os, osVersion } = fact;
  const distro = os === undefined || osVersion === undefined ? os : `${os}-${osVersion}`;
  return {
    ...identify({ type, namespace: os, name, version, qualifiers: { arch, distro } }),
    name,
    version,
    locations: [{ path, layer }],
    technique: 'binary-analysis',
    confidence: 0.9,
  };
}
