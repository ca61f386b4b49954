"""What Kling's API says and can do: pure data and decisions, no input or output.

Entries: ``products`` (what Kling sells: what may be asked for, what is refused and why, the price, and how it
is said), ``models`` and ``model_file`` (what each model can do), ``dialects`` (``legacy`` and ``standard``,
the two forms of the API), ``responses`` (what it answers), ``packs`` (what the account has left).
"""
