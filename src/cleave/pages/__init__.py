"""The page of finished runs (`cleave.report(...)`): what each kind of run tells, and the parts that all pages share."""
