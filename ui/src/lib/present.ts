// Which server is there: the one that gave us this page, another one (a newer build), or none.
import { again } from './again';

export async function present(): Promise<'ours' | 'another' | 'none'> {
  const ours = document.querySelector('script[type=module][src]')?.getAttribute('src');
  try {
    const response = await again(() => fetch('/', { headers: { accept: 'text/html' }, cache: 'no-store' }));
    if (!response.ok) return 'none';
    return !ours || (await response.text()).includes(ours) ? 'ours' : 'another';
  } catch {
    return 'none';
  }
}
