/** The inputs of the codec bench: documents as PowerShell writes them, one per object. */
import { bag, customObject, double, list, PsDateTime, PsGuid, PsTimeSpan, writeCliXml } from '@sallyport/psrp';
import type { PsValue } from '@sallyport/psrp';

const OBJECTS = 10_000;
const two = (n: number): string => n.toString().padStart(2, '0');
const guid = (n: number): string => `00000000-0000-0000-0000-${(n * 7919 + 1).toString(16).padStart(12, '0')}`;
const array = (items: readonly PsValue[]): PsValue => list(items, ['System.Object[]', 'System.Array', 'System.Object']);

/** Ten properties of ten kinds. */
const mixed = (i: number): PsValue =>
  customObject({
    Id: i,
    Name: `object-${i}`,
    Enabled: i % 2 === 0,
    Ratio: double(i / 7),
    Size: BigInt(i * 1_000_003),
    Created: new PsDateTime(`2024-05-17T12:30:${two(i % 60)}`),
    Key: new PsGuid(guid(i)),
    Missing: null,
    Path: `C:\\Program Files\\App & Co <${i}>\\bin\r\nline two`,
    Tags: array(['alpha', 'beta', i]),
  });

/** Sixty properties, as a process has them. */
function process(i: number): PsValue {
  const named: Record<string, PsValue> = {};
  for (let k = 0; k < 22; k++) named[`Counter${k}`] = BigInt(i * 4096 + k);
  for (let k = 0; k < 12; k++) named[`Int${k}`] = i + k;
  for (let k = 0; k < 10; k++) named[`Text${k}`] = `System.Diagnostics.ProcessThing${k} (process${i})`;
  for (let k = 0; k < 5; k++) named[`Flag${k}`] = (i + k) % 2 === 0;
  for (let k = 0; k < 3; k++) named[`Time${k}`] = PsTimeSpan.fromTicks(BigInt(i * 10_000_000 + k * 10));
  for (let k = 0; k < 2; k++) named[`Started${k}`] = new PsDateTime(`2024-05-17T12:30:${two(i % 60)}`);
  for (let k = 0; k < 4; k++) named[`Null${k}`] = null;
  named['Modules'] = array(['System.Diagnostics.ProcessModule (a.dll)', 'System.Diagnostics.ProcessModule (b.dll)']);
  named['Threads'] = array([i, i + 1, i + 2]);
  return customObject(named);
}

/** Name, and the documents; `scale` 1 is the full size. */
export const INPUTS: readonly { readonly name: string; readonly make: (scale: number) => string[] }[] = [
  { name: 'custom10x10k', make: (scale) => Array.from({ length: OBJECTS * scale }, (_, i) => writeCliXml(mixed(i))) },
  {
    name: 'string5MB',
    make: (scale) => [
      writeCliXml('The quick brown fox_x0041_ <jumps> & runs.\r\n'.repeat(Math.round(113_637 * scale))),
    ],
  },
  {
    name: 'process60x10k',
    make: (scale) => Array.from({ length: OBJECTS * scale }, (_, i) => writeCliXml(process(i))),
  },
];

/** Numbers of one width: ten times the units are ten times the text. */
const wide = (i: number): number => 100_000 + i;

/** What grows: a document of `size` units of one kind. */
export const GROWING: readonly {
  readonly name: string;
  readonly size: number;
  readonly make: (size: number) => string;
}[] = [
  {
    name: 'objects in a list',
    size: 4000,
    make: (size) => writeCliXml(list(Array.from({ length: size }, (_, i) => bag({ a: wide(i), b: 'x' })))),
  },
  {
    name: 'different properties of one object',
    size: 4000,
    make: (size) => writeCliXml(bag(Array.from({ length: size }, (_, i) => [`Name${wide(i)}`, wide(i)] as const))),
  },
  {
    name: 'equal properties of one object',
    size: 4000,
    make: (size) => `<Obj RefId="0"><MS>${'<I32 N="a">1</I32>'.repeat(size)}</MS></Obj>`,
  },
  {
    name: 'references',
    size: 4000,
    make: (size) => `<Obj RefId="0"><LST>${'<Ref RefId="0" />'.repeat(size)}</LST></Obj>`,
  },
  {
    name: 'type lists',
    size: 2000,
    make: (size) =>
      `<Obj RefId="0"><LST>${Array.from({ length: size }, (_, i) => `<Obj RefId="${i + 1}"><TN RefId="${i}"><T>Type${i}</T></TN></Obj>`).join('')}</LST></Obj>`,
  },
  { name: 'escapes of a string', size: 20_000, make: (size) => `<S>${'_x000A_a'.repeat(size)}</S>` },
  { name: 'references of a string', size: 20_000, make: (size) => `<S>${'&amp;a'.repeat(size)}</S>` },
  { name: 'comments in a string', size: 10_000, make: (size) => `<S>${'a<!-- x -->'.repeat(size)}</S>` },
];
