import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { chromium } from 'playwright-core';
import type { BrowserContext, Page } from 'playwright-core';
import { debianProgram } from '../../hack/stack/packages.ts';

/** How a page is looked at. */
export interface Viewing {
  readonly width?: number;
  readonly colours?: 'light' | 'dark';
}

/** A page that is open, and what it did besides showing itself. */
export interface OpenPage {
  readonly page: Page;
  /** Addresses that were asked for, but for the page's own. */
  readonly requests: readonly string[];
  /** Errors and messages on its console, dialogs, faults of scripts. */
  readonly noises: readonly string[];
}

const startMs = 120_000;

/** A real Chromium without a window, with a profile of its own. */
export class Browser implements AsyncDisposable {
  readonly #context: BrowserContext;
  readonly #profile: string;

  private constructor(context: BrowserContext, profile: string) {
    this.#context = context;
    this.#profile = profile;
  }

  static async open(): Promise<Browser> {
    const profile = await mkdtemp(join(tmpdir(), 'chainwright-browser-'));
    const context = await chromium.launchPersistentContext(profile, {
      executablePath: debianProgram('chromium'),
      headless: true,
      timeout: startMs,
      args: [
        '--no-sandbox',
        '--disable-gpu',
        '--disable-quic',
        '--no-first-run',
        '--disable-background-networking',
        '--disable-component-update',
        '--disable-sync',
      ],
    });
    context.setDefaultTimeout(startMs);
    return new Browser(context, profile);
  }

  /** Opens a file, and waits until it is all there. */
  async show(file: string, { width = 1280, colours = 'light' }: Viewing = {}): Promise<OpenPage> {
    const page = await this.#context.newPage();
    const address = `file://${file}`;
    const requests: string[] = [];
    const noises: string[] = [];
    page.on('request', (request) => {
      if (request.url() !== address) requests.push(request.url());
    });
    page.on('console', (message) => noises.push(message.text()));
    page.on('pageerror', (error) => noises.push(error.message));
    page.on('dialog', (dialog) => {
      noises.push(`dialog: ${dialog.message()}`);
      void dialog.dismiss();
    });
    await page.setViewportSize({ width, height: 900 });
    await page.emulateMedia({ colorScheme: colours });
    await page.goto(address, { waitUntil: 'load' });
    return { page, requests, noises };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#context.close();
    await rm(this.#profile, { recursive: true, force: true, maxRetries: 5 });
  }
}

/** The lowest contrast (WCAG 2) between a text of a page and what lies behind it. */
export async function lowestContrast(page: Page): Promise<number> {
  return page.evaluate<number>(`(() => {
    const numbers = (colour) => (colour.match(/[\\d.]+/g) ?? []).map(Number);
    const behind = (element) => {
      for (let at = element; at !== null; at = at.parentElement) {
        const [red, green, blue, alpha = 1] = numbers(getComputedStyle(at).backgroundColor);
        if (alpha === 1) return [red, green, blue];
      }
      return [255, 255, 255];
    };
    const light = (rgb) => {
      const parts = rgb.map((part) => part / 255).map((c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4));
      return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2];
    };
    const texts = [...document.body.querySelectorAll('*')].filter((element) =>
      [...element.childNodes].some((node) => node.nodeType === 3 && node.textContent.trim() !== ''));
    const contrasts = texts.map((element) => {
      const pair = [numbers(getComputedStyle(element).color).slice(0, 3), behind(element)].map(light).sort((a, b) => b - a);
      return (pair[0] + 0.05) / (pair[1] + 0.05);
    });
    return Math.min(...contrasts);
  })()`);
}
