"""Everything that talks to Kling; nothing in here imports ComfyUI or torch.

Entries: `paid_task` (buy a take once), `client` (one exchange), `settings` (whose account),
`media` (pictures), `download` (videos), `errors`, and `kling` (what the API says and can do).
"""
