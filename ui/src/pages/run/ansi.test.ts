// Colours of output.
import { describe, expect, it } from 'vitest';
import { bare, pieces } from './ansi';

describe('colours', () => {
  it('leaves plain lines as they are', () => {
    expect(pieces('plain <b>text</b>')).toEqual([{ text: 'plain <b>text</b>' }]);
  });
  it('reads sixteen colours, and what ends them', () => {
    expect(pieces('\u001b[32mgreen\u001b[0m and \u001b[1;91mloud\u001b[22;39m plain')).toEqual([
      { text: 'green', classes: 'fg-2' }, { text: ' and ', classes: undefined }, { text: 'loud', classes: 'bold fg-9' }, { text: ' plain', classes: undefined },
    ]);
  });
  it('takes the nearest of more colours', () => {
    expect(pieces('\u001b[38;5;196mred\u001b[48;2;0;0;200mon blue')).toEqual([{ text: 'red', classes: 'fg-9' }, { text: 'on blue', classes: 'fg-9 bg-12' }]);
    expect(pieces('\u001b[38;5;2mx')[0]!.classes).toBe('fg-2');
  });
  it('leaves out everything else that terminals are told', () => {
    expect(bare('\u001b]0;title\u0007a\u001b[2Kb\u001b[1;1Hc\r\u0000d\u001b]8;;http://x\u001b\\link\u001b]8;;\u001b\\')).toBe('abcdlink');
    expect(bare('\u001b[?25lspinner\u001b[?25h\u001b(B \u001b[0 q\u001b=done')).toBe('spinner done');
    expect(pieces('\u001b[>4;2mx')).toEqual([{ text: 'x' }]);
    expect(pieces('\u001b[2K\u001b[31m')).toEqual([{ text: '' }]);
  });
  it('doesn’t choke on a sequence that is cut off', () => {
    expect(bare('end\u001b[3')).toBe('end[3');
  });
});
