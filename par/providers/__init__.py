"""One module per provider: import the one you want (``from par.providers.openai import OpenAI``).

This package itself loads no SDK.
"""

__all__: list[str] = []
