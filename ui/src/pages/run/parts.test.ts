// Small parts of the run's page, drawn.
import { render, screen } from '@testing-library/svelte';
import { userEvent } from '@testing-library/user-event';
import { describe, expect, it, vi } from 'vitest';
import type { RunEvent } from '$lib/api';
import restarted from './recorded/restarted.json';
import LineText from './LineText.svelte';
import StepDetail from './StepDetail.svelte';
import TextDiff from './TextDiff.svelte';
import { RunModel } from './model';

describe('a line of output', () => {
  it('is text, whatever it looks like', () => {
    const { container } = render(LineText, { text: '<img src=x> \u001b[31mred\u001b[0m' });
    expect(container.querySelector('img')).toBeNull();
    expect(container.querySelector('.fg-1')?.textContent).toBe('red');
    expect(container.textContent?.trim()).toBe('<img src=x> red');
  });
  it('marks what was searched for across colours', () => {
    const { container } = render(LineText, { text: 'one tw\u001b[31mo TWO', find: 'two' });
    expect([...container.querySelectorAll('mark')].map((mark) => mark.textContent)).toEqual(['two', 'TWO']);
  });
});

describe('the chosen step', () => {
  it('tells its attempts, and leads to the script', async () => {
    const model = new RunModel();
    model.apply(restarted as unknown as RunEvent[]);
    const onscript = vi.fn();
    const onclose = vi.fn();
    render(StepDetail, { step: model.step('2')!, onscript, onclose });
    expect(screen.getByText('2 attempts')).toBeTruthy();
    expect(screen.getByText(/ended with code 1/)).toBeTruthy();
    await userEvent.click(screen.getByRole('button', { name: 't/stays:6' }));
    expect(onscript).toHaveBeenCalledWith({ file: 't/stays', line: 6, column: expect.any(Number) as number });
    await userEvent.click(screen.getByRole('button', { name: 'Close the step' }));
    expect(onclose).toHaveBeenCalled();
  });
});

it('shows what differs with signs, not only with colours', () => {
  const { container } = render(TextDiff, { name: 'a', before: 'x\nold\ny', after: 'x\nnew\ny' });
  expect([...container.querySelectorAll('.sign')].map((sign) => sign.textContent)).toEqual([' ', '−', '+', ' ']);
});
