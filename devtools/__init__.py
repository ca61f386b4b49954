"""What ``dev.py`` is made of; nothing here is loaded by ComfyUI."""
