"""Everything that talks to Kling; nothing in here imports ComfyUI or torch.

How a take is bought:

    settings = load_settings(environ, user_dir)                # settings.py: which host, whose account
    studio = Studio.open(settings, load_table())               # studio.py: the way in
    plan = studio.plan(request, number=0)                      # plan.py: checked once, priced
    delivered = await studio.take(plan, files=folder, reporter=reporter)

``Studio.take`` hands the plan to ``PaidTask`` (paid_task.py: buys it once, or finds what was bought) and the
task that comes of it to ``Follower`` (follower.py: waits, downloads, writes down). Read them in this order.
What Kling sells is in ``kling/products``, each with its request; what it answers in ``kling/responses.py``.
"""
