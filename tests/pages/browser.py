"""A page in a real browser, Debian's chromium, where there is one."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

FLAGS = (
    "--headless=new",
    "--no-sandbox",  # tests may run as root
    "--disable-dev-shm-usage",
    "--disable-gpu",
    "--disable-background-networking",
    "--no-first-run",
)
PALEST = """
const parse = text => text.match(/[\\d.]+/g).map(Number);
const luminance = ([r, g, b]) => {
  const [x, y, z] = [r, g, b].map(v => v / 255).map(v => v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
  return 0.2126 * x + 0.7152 * y + 0.0722 * z;
};
const canvas = document.createElement('canvas').getContext('2d', {willReadFrequently: true});
const rgb = colour => {
  canvas.clearRect(0, 0, 1, 1); canvas.fillStyle = colour; canvas.fillRect(0, 0, 1, 1);
  return [...canvas.getImageData(0, 0, 1, 1).data];
};
const behind = element => {
  for (let each = element; each; each = each.parentElement) {
    const colour = rgb(getComputedStyle(each).backgroundColor);
    if (colour[3] === 255) return colour;
  }
};
let least = 21;
for (const element of document.querySelectorAll('h1,h2,h3,p,li,th,td,caption,figcaption,a,pre,.chart text')) {
  if (!element.textContent.trim() || element.querySelector('p,li,td')) continue;
  const style = getComputedStyle(element);
  const text = luminance(rgb(element.closest('svg') ? style.fill : style.color)), paper = luminance(behind(element));
  const ratio = (Math.max(text, paper) + 0.05) / (Math.min(text, paper) + 0.05);
  least = Math.min(least, ratio);
}
return least;
"""
"""The least contrast of a text with what is behind it, as WCAG 2 defines it."""
VISIBLE = """
const shown = [...document.querySelector(arguments[0]).querySelectorAll('.said, .hint')].filter(each => {
  const box = each.getBoundingClientRect();
  return each === document.elementFromPoint(box.left + 5, box.top + 5);
});
return shown.map(each => each.textContent).join('|');
"""
"""What is to be seen below a heat map, and not covered."""


class Browser:
    """A chromium at one page after the other."""

    def __init__(self, driver: Any) -> None:  # noqa: ANN401
        self.driver = driver

    def open(self, page: Path, width: int, scheme: str) -> None:
        size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 500}
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
        media = {"features": [{"name": "prefers-color-scheme", "value": scheme}]}
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", media)
        for log in ("performance", "browser"):
            self.driver.get_log(log)  # of the page before
        self.driver.get(page.as_uri())

    def run(self, script: str, *arguments: object) -> Any:  # noqa: ANN401
        return self.driver.execute_script(script, *arguments)

    def errors(self) -> list[str]:
        return [each["message"] for each in self.driver.get_log("browser")]

    def requested(self) -> set[str]:
        events = [json.loads(each["message"])["message"] for each in self.driver.get_log("performance")]
        return {each["params"]["request"]["url"] for each in events if each["method"] == "Network.requestWillBeSent"}

    def palest(self) -> float:
        return float(self.run(PALEST))

    def press_tab(self) -> str:
        """What the element that is then focused shows of itself below its figure."""
        from selenium.webdriver import ActionChains, Keys

        ActionChains(self.driver).send_keys(Keys.TAB).perform()
        return str(self.run("return document.activeElement.querySelector('.said').innerText"))

    def visible_in(self, selector: str) -> str:
        self.run("document.querySelector(arguments[0]).scrollIntoView({block: 'center'})", selector)
        return str(self.run(VISIBLE, selector))

    def hovered(self, selector: str) -> str:
        """What is to be seen below a figure when something in it is pointed at."""
        from selenium.webdriver import ActionChains
        from selenium.webdriver.common.by import By

        ActionChains(self.driver).move_to_element(self.driver.find_element(By.CSS_SELECTOR, selector)).perform()
        return self.visible_in("figure.heat")


@contextmanager
def browser_or_skip() -> Iterator[Browser]:
    """Skips the test, and says why, where there is no browser."""
    webdriver = pytest.importorskip("selenium.webdriver")
    binary, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if binary is None or driver is None:
        pytest.skip("no chromium with its chromedriver (Debian: apt-get install chromium chromium-driver)")
    options = webdriver.ChromeOptions()
    options.binary_location = binary
    for flag in FLAGS:
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    started = webdriver.Chrome(options, webdriver.ChromeService(driver))
    try:
        yield Browser(started)
    finally:
        started.quit()
