import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { renderImpact } from '../../../src/commands/policy/impact/impact-page.ts';
import { Browser, lowestContrast } from '../../support/browser.ts';
import type { OpenPage, Viewing } from '../../support/browser.ts';
import { impactReport, impactRow } from '../../support/sample-impact.ts';

const attacks = [
  '<script>document.title="owned";console.log("owned")</script>',
  '"><img src="https://evil.example/x" onerror="alert(1)">',
  `' onmouseover='alert(2)' x='`,
  '</style><style>body{background:url(https://evil.example/y)}</style>',
  '<svg/onload=alert(3)><a href="javascript:alert(4)">click</a>',
  '\u202egpj.exe\u0000\u001b[31m',
];

describe('pages in a real browser', function () {
  let browser: Browser;
  let folder = '';

  before(async () => {
    browser = await Browser.open();
    folder = await mkdtemp(join(tmpdir(), 'chainwright-pages-'));
  });
  after(async () => {
    await browser[Symbol.asyncDispose]();
    await rm(folder, { recursive: true, force: true });
  });

  const show = async (page: string, viewing?: Viewing): Promise<OpenPage> => {
    const file = join(folder, 'page.html');
    await writeFile(file, page);
    return browser.show(file, viewing);
  };

  /** A page may do nothing but be there. */
  const expectQuiet = async ({ page, requests, noises }: OpenPage): Promise<void> => {
    await page.mouse.move(200, 300);
    await page.mouse.wheel(0, 2000);
    await page.waitForTimeout(100);
    expect(requests, 'requests').to.deep.equal([]);
    expect(noises, 'console').to.deep.equal([]);
    expect(await page.locator('script, img, svg, iframe, object, [onmouseover], [onerror]').count()).to.equal(
      0,
    );
    expect(await page.locator('style').count()).to.equal(1);
  };

  it('impact: title, verdict, and a row for each image with its check and what to do', async () => {
    const rows = [
      impactRow(),
      impactRow({ owner: { kind: 'CronJob', name: 'report' }, pods: 0, outcome: 'admitted', unmet: [] }),
    ];
    const shown = await show(renderImpact(impactReport(rows)));
    const { page } = shown;
    expect(await page.title()).to.equal('Impact of golemtrust-production-policy');
    expect(await page.locator('h1').count()).to.equal(1);
    expect(await page.locator('#verdict').innerText())
      .to.include('Not safe to enforce')
      .and.include('1 workload');
    const denied = page.locator('tbody tr', { hasText: 'Deployment checkout' });
    expect(await denied.count()).to.equal(1);
    const text = await denied.innerText();
    for (const part of [
      'admitted',
      'denied',
      'pipeline-signature/sbom-cyclonedx missing',
      'Next: Let the pipeline',
    ]) {
      expect(text).to.include(part);
    }
    expect(await page.locator('table th[scope=col]').count()).to.be.above(5);
    expect(await page.locator('tbody tr > th[scope=row]').count()).to.equal(
      await page.locator('tbody tr').count(),
    );
    expect(await page.evaluate('getComputedStyle(document.body).maxWidth')).to.equal('1248px');
    await expectQuiet(shown);
  });

  it('impact: hostile names, images, messages and exceptions are text', async () => {
    const rows = attacks.map((attack, index) =>
      impactRow({
        namespace: attack,
        owner: { kind: 'Deployment', name: `${attack}-${index}` },
        image: `r.example/${attack}`,
        outcome: 'excepted',
        nextStep: attack,
        unmet: impactRow().unmet.map((check) => ({
          ...check,
          policy: attack,
          authority: attack,
          message: attack,
        })),
        exceptions: [
          {
            ...{ namespace: attack, name: attack, uid: attack, reason: attack, requestedBy: attack },
            ...{ approvedBy: attack, expiresAt: attack },
          },
        ],
      }),
    );
    const past = attacks.map((attack) => ({
      ...{ at: attack, times: 2, namespace: attack, object: attack, reason: attack, policies: [attack] },
      ...{ image: attack, message: attack },
    }));
    const shown = await show(renderImpact(impactReport(rows, { past, besides: attacks })));
    expect(await shown.page.title()).to.equal('Impact of golemtrust-production-policy');
    const text = await shown.page.locator('main').innerText();
    for (const attack of attacks.slice(0, -1)) expect(text).to.include(attack);
    expect(text).to.include('\\u202egpj.exe\\u0000\\u001b[31m');
    await expectQuiet(shown);
  });

  for (const colours of ['light', 'dark'] as const) {
    it(`impact: readable on a narrow screen, ${colours}`, async () => {
      const { page } = await show(renderImpact(impactReport([impactRow()])), { width: 390, colours });
      const width = await page.evaluate('document.documentElement.scrollWidth');
      expect(width, 'nothing to scroll sideways').to.be.at.most(390);
      expect(await lowestContrast(page)).to.be.at.least(4.5);
    });
  }
});
