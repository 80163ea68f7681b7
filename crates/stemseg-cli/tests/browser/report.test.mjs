// Reports in headless Chromium: they render without a word on the console, load
// nothing, follow the theme, fit a phone, and work from the keyboard.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { copyFileSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { pathToFileURL } from "node:url";
import { chromium } from "playwright-core";

const { STEMSEG, CHROMIUM, SCREENSHOTS } = process.env;
const WIDE = { width: 1280, height: 900 };
const NARROW = { width: 400, height: 800 };
// A name that is markup, where the file system allows it.
const NAME = process.platform === "win32" ? "b&x.tif" : '<b>&"x.tif';

let browser, folder, profile;
const stemseg = (...words) => execFileSync(STEMSEG, words, { cwd: folder, stdio: "pipe" });
const url = (...path) => pathToFileURL(join(folder, ...path)).href;

before(async () => {
  folder = mkdtempSync(join(tmpdir(), "stemseg-report-"));
  profile = mkdtempSync(join(tmpdir(), "stemseg-profile-"));
  // Calibrated, several numbers of clusters, two families.
  stemseg("simulate", "polycrystal", "--grains", "3", "--size", "320", "--format", "tiff", "--out", "scene");
  copyFileSync(join(folder, "scene", "image.tif"), join(folder, NAME));
  const cpu = ["--device", "cpu"];
  const small = ["--patch", "10", "--window", "10", "--stride", "4", ...cpu];
  stemseg("segment", NAME, "-k", "2,3", "--out", "several", ...cpu);
  stemseg("segment", NAME, "-k", "3", "--out", "families", "--descriptor", "translation+intensity", ...small);
  // Without a pixel size, one pattern, pixels without a label.
  stemseg("simulate", "plane-groups", "p4gm", "p4", "--size", "200", "--out", "plain");
  stemseg("segment", "plain/image.npy", "-k", "1", "--border", "blank", "--out", "one", "--preset", "pystem", ...small);
  browser = await chromium.launchPersistentContext(profile, {
    executablePath: CHROMIUM,
    headless: true,
    args: [
      "--no-sandbox",
      "--disable-gpu",
      "--disable-background-networking",
      "--disable-component-update",
      "--disable-sync",
      "--no-first-run",
    ],
  });
});

after(async () => {
  await browser?.close();
  for (const made of [folder, profile]) rmSync(made, { recursive: true, force: true });
});

/** Opens a page and hands it to `look`; whatever it complains of or loads fails. */
async function open(address, { size = WIDE, colorScheme = "light" }, look) {
  const page = await browser.newPage();
  const trouble = [];
  page.on("console", (message) => trouble.push(`console ${message.type()}: ${message.text()}`));
  page.on("pageerror", (error) => trouble.push(`error: ${error}`));
  page.on("request", (request) => {
    const there = request.url();
    if (!there.startsWith("data:") && !there.startsWith(url(""))) trouble.push(`loads ${there}`);
  });
  try {
    await page.emulateMedia({ colorScheme });
    await page.setViewportSize(size);
    await page.goto(address);
    await look(page);
    assert.deepEqual(trouble, []);
  } finally {
    await page.close();
  }
}

const shoot = (page, name) => page.screenshot({ path: join(SCREENSHOTS, `${name}.png`), fullPage: true });
const css = (page, selector, property) =>
  page.locator(selector).evaluate((element, property) => getComputedStyle(element)[property], property);
const lightness = async (page) => {
  const [r, g, b] = (await css(page, "body", "backgroundColor")).match(/\d+/g).map(Number);
  return (r + g + b) / 3;
};

const PAGES = [
  ["several", "report.html"],
  ["several", "k2", "report.html"],
  ["several", "k3", "report.html"],
  ["families", "report.html"],
  ["one", "report.html"],
];

for (const path of PAGES) {
  const name = path.slice(0, -1).join("-");
  describe(path.join("/"), () => {
    for (const [width, size] of [["wide", WIDE], ["narrow", NARROW]]) {
      for (const colorScheme of ["light", "dark"]) {
        test(`renders ${width} and ${colorScheme}`, () =>
          open(url(...path), { size, colorScheme }, async (page) => {
            await shoot(page, `${name}-${width}-${colorScheme}`);
            const broken = await page.$$eval("img", (all) => all.filter((i) => !i.complete || !i.naturalWidth).length);
            assert.equal(broken, 0, "every picture is shown");
            const overflow = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
            assert.ok(overflow <= 0, `${overflow} px stand out to the right`);
            const background = await lightness(page);
            assert.ok(colorScheme === "dark" ? background < 60 : background > 220, `${background}`);
          }));
      }
    }
  });
}

test("the name of the file is text, not markup", () =>
  open(url("several", "k2", "report.html"), {}, async (page) => {
    assert.equal(await page.textContent("h1"), NAME);
    assert.equal(await page.locator("b").count(), 0);
    assert.ok((await page.title()).startsWith(NAME));
  }));

test("the reader's choice of a theme overrules the system's", () =>
  open(url("families", "report.html"), { colorScheme: "light" }, async (page) => {
    assert.ok((await lightness(page)) > 220);
    await page.locator("#theme-auto").focus();
    await page.keyboard.press("ArrowRight");
    await page.keyboard.press("ArrowRight");
    assert.ok(await page.locator("#theme-dark").isChecked());
    assert.ok((await lightness(page)) < 60);
    const ink = await css(page, ".plot text >> nth=0", "fill");
    assert.ok(ink.match(/\d+/g).slice(0, 3).every((c) => Number(c) > 120), `plots follow: ${ink}`);
  }));

test("the divide moves from the keyboard and shows what is below", () =>
  open(url("families", "report.html"), {}, async (page) => {
    const stage = page.locator(".stage");
    await page.locator("#show-tint").check();
    const seen = {};
    await page.locator(".divide").focus();
    for (const key of ["Home", "End"]) {
      await page.keyboard.press(key);
      seen[key] = { cut: await css(page, ".over", "clipPath"), picture: await stage.screenshot() };
    }
    assert.match(seen.Home.cut, /inset\(0px 0px 0px 0%\)|inset\(0px\)/);
    assert.match(seen.End.cut, /100%/);
    assert.ok(!seen.Home.picture.equals(seen.End.picture), "labels come and go");
    await page.keyboard.press("ArrowLeft");
    await page.keyboard.press("ArrowLeft");
    assert.match(await css(page, ".over", "clipPath"), /99%/);
  }));

test("the divide follows the pointer", () =>
  open(url("families", "report.html"), {}, async (page) => {
    const box = await page.locator(".stage").boundingBox();
    await page.mouse.click(box.x + 0.25 * box.width, box.y + 0.5 * box.height);
    const cut = Number((await css(page, ".over", "clipPath")).match(/([\d.]+)%/)[1]);
    assert.ok(Math.abs(cut - 25) < 1, `${cut}`);
  }));

test("tint and lines are chosen, and the tint's strength, from the keyboard", () =>
  open(url("families", "report.html"), {}, async (page) => {
    const shown = async (layer) => (await css(page, layer, "display")) !== "none";
    const state = async () => [await shown(".tint"), await shown(".lines")];
    assert.deepEqual(await state(), [true, true]);
    await page.locator("#show-both").focus();
    await page.keyboard.press("ArrowLeft");
    assert.deepEqual(await state(), [false, true]);
    await page.keyboard.press("ArrowLeft");
    assert.deepEqual(await state(), [true, false]);
    assert.equal(await css(page, ".tint", "opacity"), "0.45");
    await page.locator(".strength").focus();
    await page.keyboard.press("ArrowRight");
    assert.equal(await css(page, ".tint", "opacity"), "0.46");
    await page.keyboard.press("End");
    assert.equal(await css(page, ".tint", "opacity"), "1");
  }));

test("the index leads to each number of clusters", () =>
  open(url("several", "report.html"), {}, async (page) => {
    assert.equal(await page.locator(".card").count(), 2);
    await page.locator(".card >> nth=1").focus();
    await page.keyboard.press("Enter");
    await page.waitForURL(/k3\/report\.html$/);
    assert.equal(await page.textContent(".what"), "3 patterns");
  }));
