"""``acrtm view``: the workbook that infra/ deploys, drawn on this machine over the embedded store."""
