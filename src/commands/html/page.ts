import { hash } from 'node:crypto';
import { packageVersion } from '../wiring/version.ts';
import { Markup, markup } from './markup.ts';
import { pageStyle } from './page-style.ts';
import { moment } from './parts.ts';

/** What a page shows. */
export interface PageContent {
  readonly title: string;
  /** One sentence under the title. */
  readonly subtitle: Markup;
  readonly body: readonly Markup[];
  readonly at: Date;
}

/**
 * A page that needs nothing but itself: no script, no request. Its policy forbids both, and any style but its own, so that
 * even markup that got past the escaping could do nothing.
 */
export function renderPage({ title, subtitle, body, at }: PageContent): string {
  const style = verbatim(pageStyle);
  const policy = `default-src 'none'; style-src 'sha256-${hash('sha256', pageStyle, 'base64')}'; base-uri 'none'; form-action 'none'`;
  const page = markup`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="referrer" content="no-referrer">
<meta name="color-scheme" content="light dark">
<title>${title}</title>
<style>${style}</style>
</head>
<body>
<header>
<h1>${title}</h1>
<p class="subtitle">${subtitle}</p>
</header>
<main>
${body}
</main>
<footer>
<p>Made by chainwright ${packageVersion()} at ${moment(at.toISOString())}. This page loads
nothing and runs no script.</p>
</footer>
</body>
</html>
`;
  return page.toString();
}

/** The style is ours, and its hash must be that of its very bytes. */
function verbatim(text: string): Markup {
  const parts = Object.assign([text], { raw: [text] });
  return Markup.fromTemplate(parts, []);
}
