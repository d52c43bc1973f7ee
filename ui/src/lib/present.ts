// Which server is there: the one that gave us this page, another one (a newer build), or none.
import { again, unlessSilent, wasSilent } from './again';

export async function present(): Promise<'ours' | 'another' | 'none'> {
  const ours = document.querySelector('script[type=module][src]')?.getAttribute('src');
  const ask = () => unlessSilent(async ({ signal }) => {
    const response = await fetch('/', { headers: { accept: 'text/html' }, cache: 'no-store', signal });
    return response.ok ? response.text() : null;
  });
  try {
    // Whoever asks has waited for something else before: a server that says nothing now isn't waited for again.
    const page = await again(ask, { lost: (error) => !wasSilent(error) });
    if (page === null) return 'none';
    return !ours || page.includes(ours) ? 'ours' : 'another';
  } catch {
    return 'none';
  }
}
