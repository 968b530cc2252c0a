from django import forms


class SecondsForm(forms.Form):
    seconds = forms.FloatField(min_value=0, max_value=60, required=False)

    def clean_seconds(self) -> float:
        seconds = self.cleaned_data["seconds"]
        return 5.0 if seconds is None else seconds


class SlowSqlForm(SecondsForm):
    # The square must fit the databases' bigint.
    x = forms.IntegerField(min_value=-(10**9), max_value=10**9)
