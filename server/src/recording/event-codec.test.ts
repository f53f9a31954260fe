import { describe, expect, it } from 'vitest';
import { parseEvents } from './event-codec.ts';

/** 8 wall clock, then one event: 1 tag + 4 length + 8 time + body. */
function chunk(tag: number, body: string): Buffer {
  const bytes = Buffer.alloc(8 + 13 + body.length);
  bytes.writeUInt8(tag, 8);
  bytes.writeUInt32BE(body.length, 9);
  bytes.write(body, 21, 'latin1');
  return bytes;
}

describe('events of a chunk', () => {
  it.each([0, 3])('are malformed, not a crash, when the JSON of tag %i is none', (tag) => {
    for (const body of ['', '{', 'null', '1', '"x"']) expect(parseEvents(chunk(tag, body)), body).toBeNull();
    expect(parseEvents(chunk(tag, '{"number":1,"state":"completed"}'))).toHaveLength(1);
  });
});
