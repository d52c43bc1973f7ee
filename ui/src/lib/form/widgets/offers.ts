// Choices that come live from a look-up: what each is called, what it has, what it costs.
import { isObject } from '../pointer';

export interface Offer {
  id: string;
  label: string;
  /** The first part of the label, and the rest. */
  title: string;
  says: string;
  group: string;
  description: string;
  vcpu?: number;
  ramGb?: number;
  diskGb?: number;
  monthly?: number;
  hourly?: number;
  currency: string;
  available: boolean;
  recommended: string[];
}

const text = (value: unknown) => (typeof value === 'string' ? value : '');
const number = (value: unknown) => (typeof value === 'number' && Number.isFinite(value) ? value : undefined);

/** Offers of an output, whatever it holds; what has no id isn't one. */
export function offersOf(found: unknown): Offer[] {
  if (!Array.isArray(found)) return [];
  return found.filter(isObject).filter((one) => text(one.id) !== '').map((one) => {
    const label = text(one.label) || text(one.id);
    const [title, ...rest] = label.split(': ');
    return {
      id: text(one.id), label, title: title!, says: rest.join(': '), group: text(one.category) || text(one.network_zone) || text(one.family), description: text(one.description),
      vcpu: number(one.vcpu), ramGb: number(one.ram_gb), diskGb: number(one.disk_gb), monthly: number(one.price_monthly), hourly: number(one.price_hourly),
      currency: text(one.currency) || 'EUR', available: one.available !== false,
      recommended: Array.isArray(one.recommended_for) ? one.recommended_for.filter((what): what is string => typeof what === 'string') : [],
    };
  });
}

/** The chosen one and what is recommended first, then by price; at most so many, and whether there are more. */
export function shortlist(offers: readonly Offer[], chosen: unknown, purpose: string, most: number): Offer[] {
  const rank = (offer: Offer) => (offer.recommended.includes(purpose) ? 0 : offer.available ? 1 : 2);
  const sorted = [...offers].sort((a, b) => rank(a) - rank(b) || (a.monthly ?? 0) - (b.monthly ?? 0) || (a.id < b.id ? -1 : 1));
  const first = sorted.slice(0, most);
  const own = sorted.find((offer) => offer.id === chosen);
  return own && !first.includes(own) ? [...first.slice(0, most - 1), own] : first;
}
