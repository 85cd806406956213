"""The numbers that Pushwoosh has for platforms."""

from __future__ import annotations

from collections.abc import Mapping

PLATFORMS: Mapping[str, int] = {
    "ios": 1,
    "android": 3,
    "macos": 7,
    "windows": 8,
    "amazon": 9,
    "safari": 10,
    "chrome": 11,
    "firefox": 12,
    "email": 14,
    "huawei": 17,
    "sms": 18,
    "xiaomi": 19,
    "whatsapp": 21,
    "edge": 150,
}
"""By name, in small letters."""

_BROWSERS = (("Edg", "edge"), ("Firefox/", "firefox"), ("Chrome/", "chrome"), ("Safari/", "safari"))
"""What a user agent has, and the browser it is; the first counts, for most also name others."""


def device_type(platform: object, user_agent: object = None) -> int | None:
    """The number of a platform in any spelling; the web's is that of the browser. ``None`` when nobody knows."""
    if not isinstance(platform, str):
        return None
    name = platform.strip().lower()
    if name == "web" and isinstance(user_agent, str):
        name = next((browser for mark, browser in _BROWSERS if mark in user_agent), name)
    return PLATFORMS.get(name)
