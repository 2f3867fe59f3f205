"""``acrtm doctor``: the monitor's own settings, rights and paths, looked at one by one."""
