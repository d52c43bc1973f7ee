// Why a code can't be redeemed, in words for whoever holds the voucher.
import type { ApiProblem } from '$lib/api';
import type { IconName } from '$lib/ui/Icon.svelte';

export interface Refusal {
  icon: IconName;
  title: string;
  says: string;
}

const GONE: Record<string, Omit<Refusal, 'icon'>> = {
  used_up: { title: 'This voucher was redeemed already', says: 'It can be redeemed as often as its issuer has said, and that is over. Was it you? Then look for the letter that came by mail.' },
  expired: { title: 'This voucher has expired', says: 'Its time is over. Ask whoever gave it to you for another one.' },
  revoked: { title: 'This voucher was taken back', says: 'Whoever issued it doesn’t redeem it any more. Ask them for another one.' },
  issuer: { title: 'Not at the moment', says: 'Whoever issued the voucher redeems none just now. Ask them, or try again later: the voucher isn’t lost.' },
  limit: { title: 'Not at the moment', says: 'Vouchers of this issuer can’t be redeemed here just now. Try again later: the voucher isn’t lost.' },
  untrusted: { title: 'Not here', says: 'Vouchers of this issuer aren’t redeemed here any more. Ask whoever gave it to you.' },
};

export function refusal(problem: ApiProblem): Refusal {
  if (problem.code === 'not_found') return { icon: 'search', title: 'There is no such voucher', says: 'The code can be right in itself and still be of no voucher here. Compare it with what you were given, or ask whoever gave it to you.' };
  if (problem.code === 'too_many_requests') return { icon: 'clock', title: 'Too many codes were tried from your network', says: 'Nothing is wrong with your voucher. Wait a moment, and look again.' };
  if (problem.code === 'gone') {
    const reason = (problem.data as { reason?: string } | undefined)?.reason ?? '';
    return { icon: 'info', ...(GONE[reason] ?? { title: 'This voucher can’t be redeemed', says: 'Ask whoever gave it to you.' }) };
  }
  return { icon: 'warning', title: problem.detail, says: problem.help ?? 'Try again in a moment.' };
}
