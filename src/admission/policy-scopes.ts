import { LRUCache } from 'lru-cache';
import { matchesImage } from '../policy/policy-matching.ts';
import type { PoliciesInForce, RegisteredPolicy } from '../policy/policy-register.ts';

const maxImages = 4096;

/** Which policies' globs match an image: asked of every image each time, and the same until the policies change. */
export class PolicyScopes {
  readonly #known = new LRUCache<string, readonly RegisteredPolicy[]>({ max: maxImages });
  #inForce: PoliciesInForce | undefined;

  /** The policies that may be about an image (`HOST/PATH@DIGEST`); their rules for objects are not looked at. */
  about(image: string, inForce: PoliciesInForce): readonly RegisteredPolicy[] {
    if (inForce !== this.#inForce) {
      this.#known.clear();
      this.#inForce = inForce;
    }
    const known = this.#known.get(image);
    if (known !== undefined) return known;
    const found = inForce.policies.filter(({ compiled }) => matchesImage(compiled, image));
    this.#known.set(image, found);
    return found;
  }
}
