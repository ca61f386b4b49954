"""What Kling's API says and can do: pure data and decisions, no input or output.

Entries: `requests` (what a node asks for), `models` (what each model can do), `rules` (what is refused
and why), `price`, `camera`, `dialects` (`legacy` and `standard`, the two forms of the API), `responses`.
"""
