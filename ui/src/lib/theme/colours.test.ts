// What is painted can be read, whatever the brand is; and the contrasts are those that the server counts.
import { describe, expect, it } from 'vitest';
import { checks, contrast, luminance, NEEDED, readable, tokens, type Colours, type Scheme } from './colours';

describe('contrasts', () => {
  it('are as WCAG counts them', () => {
    expect(contrast('#000000', '#ffffff')).toBeCloseTo(21, 5);
    expect(contrast('#777777', '#ffffff')).toBeCloseTo(4.478, 3);
    expect(contrast('#0b5fff', '#ffffff')).toBe(contrast('#ffffff', '#0b5fff'));
    expect(luminance('#808080')).toBeCloseTo(0.2159, 3);
  });
  it('are looked at as the server does: unsaid colours count, what is no colour yet does not', () => {
    expect(checks({})).toMatchObject([{ above: 'text', below: 'background', enough: true }]);
    expect(checks({ primary: '#ffd400' }).map((one) => one.enough)).toEqual([true, false, false]);
    expect(checks({ primary: '#ffd400', on_primary: '#111111' }).map((one) => `${one.above}/${one.below}: ${one.enough}`)).toEqual(['text/background: true', 'on_primary/primary: true', 'primary/background: false']);
    expect(checks({ background: '#12' })).toEqual([]);
  });
});

describe('what pages are coloured with', () => {
  const brands: Colours[] = [
    { primary: '#0b5fff' }, { primary: '#0a3d2e', on_primary: '#ffffff' }, { primary: '#7a0019', background: '#fff8f0', text: '#2b1a10' },
    { primary: '#ffd400', on_primary: '#111111', background: '#101418', text: '#f2f2f2' }, { background: '#0d1b2a', text: '#e0e1dd' }, { primary: '#595959' },
  ];
  it.each(brands.flatMap((brand) => (['light', 'dark'] as Scheme[]).map((scheme) => [brand, scheme] as const)))('%o in %s can be read', (brand, scheme) => {
    const painted = { '--panel': scheme === 'light' ? '#ffffff' : '#16191f', '--sunken': scheme === 'light' ? '#f1f2f5' : '#12151a', ...tokens(brand, scheme) } as Record<string, string>;
    for (const [over, under] of [['--text-1', '--panel'], ['--text-2', '--sunken'], ['--text-3', '--sunken'], ['--accent', '--panel'], ['--accent', '--sunken'], ['--accent', '--accent-ground'], ['--on-accent', '--accent'], ['--on-accent', '--accent-strong']] as const) {
      if (painted[over] && painted[under]) expect(contrast(painted[over], painted[under]), `${over} on ${under}`).toBeGreaterThanOrEqual(NEEDED);
    }
  });
  it('keeps a background for the scheme that it is of, and says nothing of what the brand does not', () => {
    expect(tokens({}, 'light')).toEqual({});
    expect(tokens({ background: '#fff8f0', text: '#2b1a10' }, 'light')['--panel']).toBe('#fff8f0');
    expect(tokens({ background: '#fff8f0', text: '#2b1a10' }, 'dark')).toEqual({});
    expect(tokens({ primary: '#0a5c3f' }, 'light')['--accent'], 'what can be read stays as it is').toBe('#0a5c3f');
    expect(contrast(readable('#0b5fff', ['#ffffff', '#f1f2f5']), '#f1f2f5')).toBeGreaterThanOrEqual(NEEDED);
    expect(tokens({ primary: 'red; } body { display: none' }, 'light')).toEqual({});
  });
});
