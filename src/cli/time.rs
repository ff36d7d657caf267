//! Dates as the tools write and read them: ISO 8601, and Java's periods.

/// A moment in the proleptic Gregorian calendar, UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moment {
    days: i64,
    ms_of_day: i64,
}

impl Moment {
    /// The moment of so many milliseconds since 1970.
    pub fn of(ms: i64) -> Self {
        Self { days: ms.div_euclid(DAY_MS), ms_of_day: ms.rem_euclid(DAY_MS) }
    }

    /// `2026-11-22`.
    pub fn date(self) -> String {
        // Howard Hinnant's days-to-civil, with eras of 400 years that begin on 1 March.
        let shifted = self.days + 719_468;
        let (era, day_of_era) = (shifted.div_euclid(146_097), shifted.rem_euclid(146_097));
        let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let from_march = (5 * day_of_year + 2) / 153;
        let day = day_of_year - (153 * from_march + 2) / 5 + 1;
        let month = if from_march < 10 { from_march + 3 } else { from_march - 9 };
        let year = year_of_era + era * 400 + i64::from(month <= 2);
        format!("{year:04}-{month:02}-{day:02}")
    }

    /// `09:08:07`.
    pub fn time(self) -> String {
        let seconds = self.ms_of_day / 1000;
        format!("{:02}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60)
    }
}

/// A moment as a pattern of Java's `SimpleDateFormat` writes it, UTC; `None` for a pattern with letters that have no
/// meaning here.
pub fn in_pattern(ms: i64, pattern: &str) -> Option<String> {
    let moment = Moment::of(ms);
    let (date, time) = (moment.date(), moment.time());
    let mut date = date.splitn(3, '-');
    let (year, month, day) = (date.next()?, date.next()?, date.next()?);
    let mut time = time.splitn(3, ':');
    let (hour, minute, second) = (time.next()?, time.next()?, time.next()?);
    let millis = format!("{:03}", ms.rem_euclid(1000));
    let (mut out, mut rest) = (String::new(), pattern);
    while let Some(letter) = rest.chars().next() {
        if letter == '\'' {
            let quoted = rest.get(1..)?;
            let (inside, behind) = quoted.split_once('\'')?;
            out.push_str(if inside.is_empty() { "'" } else { inside });
            rest = behind;
            continue;
        }
        let behind = rest.trim_start_matches(letter);
        let count = (rest.len() - behind.len()) / letter.len_utf8();
        match (letter, count) {
            ('y', 4) => out.push_str(year),
            ('y', 2) => out.push_str(year.get(2..)?),
            ('M', 2) => out.push_str(month),
            ('d', 2) => out.push_str(day),
            ('H', 2) => out.push_str(hour),
            ('m', 2) => out.push_str(minute),
            ('s', 2) => out.push_str(second),
            ('S', 3) => out.push_str(&millis),
            (letter, _) if letter.is_ascii_alphabetic() => return None,
            (letter, count) => out.extend(std::iter::repeat_n(letter, count)),
        }
        rest = behind;
    }
    Some(out)
}

/// Milliseconds since 1970 of `YYYY-MM-DDThh:mm:ss.sss`, with or without a zone (`Z`, `+hh:mm`, `+hhmm`, `+hh`).
pub fn parse_datetime(text: &str) -> Option<i64> {
    let (date, rest) = text.split_once('T')?;
    let mut date = date.splitn(3, '-').map(str::parse::<i64>);
    let (year, month, day) = (date.next()?.ok()?, date.next()?.ok()?, date.next()?.ok()?);
    let zone_at = rest.find(['Z', '+', '-']).unwrap_or(rest.len());
    let (clock, zone) = rest.split_at(zone_at);
    let mut clock = clock.split(':');
    let hour: i64 = clock.next()?.parse().ok()?;
    let minute: i64 = clock.next()?.parse().ok()?;
    let seconds: f64 = clock.next().unwrap_or("0").parse().ok()?;
    let is_valid = (1..=12).contains(&month)
        && (1..=31).contains(&day)
        && (0..24).contains(&hour)
        && (0..60).contains(&minute)
        && (0.0..60.0).contains(&seconds);
    if !is_valid || clock.next().is_some() {
        return None;
    }
    let ms = days_of(year, month, day) * DAY_MS
        + hour * 3_600_000
        + minute * 60_000
        + (seconds * 1000.0).round() as i64;
    Some(ms - zone_ms(zone)?)
}

fn zone_ms(zone: &str) -> Option<i64> {
    if zone.is_empty() || zone == "Z" {
        return Some(0);
    }
    let sign = if zone.starts_with('-') { -1 } else { 1 };
    let digits: String = zone.chars().skip(1).filter(|letter| *letter != ':').collect();
    let number: i64 = digits.parse().ok()?;
    let (hours, minutes) = if digits.len() <= 2 { (number, 0) } else { (number / 100, number % 100) };
    Some(sign * (hours * 60 + minutes) * 60_000)
}

fn days_of(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let (era, year_of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let from_march = if month > 2 { month - 3 } else { month + 9 };
    let day_of_year = (153 * from_march + 2) / 5 + day - 1;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
}

/// Milliseconds of `PnDTnHnMnS`.
pub fn parse_duration(text: &str) -> Option<i64> {
    let (negative, text) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    let rest = text.strip_prefix(['P', 'p'])?;
    let (mut total, mut number, mut in_time, mut any) = (0_f64, String::new(), false, false);
    for letter in rest.chars() {
        let unit = match (letter.to_ascii_uppercase(), in_time) {
            ('T', false) if number.is_empty() => {
                in_time = true;
                continue;
            }
            ('0'..='9' | '.' | '-' | '+', _) => {
                number.push(letter);
                continue;
            }
            ('D', false) => DAY_MS as f64,
            ('H', true) => 3_600_000.0,
            ('M', true) => 60_000.0,
            ('S', true) => 1000.0,
            _ => return None,
        };
        total += number.parse::<f64>().ok()? * unit;
        number.clear();
        any = true;
    }
    let total = total.round() as i64;
    (any && number.is_empty()).then_some(if negative { -total } else { total })
}

const DAY_MS: i64 = 86_400_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_go_both_ways() {
        for (text, ms) in [
            ("1970-01-01T00:00:00.000", 0),
            ("2026-11-22T09:08:07.123", 1_795_338_487_123),
            ("2024-02-29T23:59:59.999", 1_709_251_199_999),
            ("1969-12-31T23:59:59.000", -1000),
        ] {
            assert_eq!(parse_datetime(text), Some(ms), "{text}");
            let moment = Moment::of(ms);
            assert_eq!(format!("{}T{}", moment.date(), moment.time()), text[..19]);
        }
        assert_eq!(parse_datetime("1970-01-01T01:00:00.000+01:00"), Some(0));
        assert_eq!(parse_datetime("1970-01-01T01:00:00.000+0100"), Some(0));
        assert_eq!(parse_datetime("1970-01-01T00:00Z"), Some(0));
        for bad in ["", "1970-01-01", "1970-13-01T00:00:00", "x", "1970-01-01T25:00:00"] {
            assert_eq!(parse_datetime(bad), None, "{bad}");
        }
    }

    #[test]
    fn patterns_are_javas() {
        let shown = |pattern| in_pattern(1_795_338_487_123, pattern);
        assert_eq!(shown("yyyy-MM-dd HH:mm:ss:SSS").as_deref(), Some("2026-11-22 09:08:07:123"));
        assert_eq!(shown("yy/MM/dd'T'HH''mm").as_deref(), Some("26/11/22T09'08"));
        assert_eq!(shown("EEE"), None);
    }

    #[test]
    fn periods_are_javas() {
        assert_eq!(parse_duration("PT1H30M"), Some(5_400_000));
        assert_eq!(parse_duration("P1DT1.5S"), Some(86_401_500));
        assert_eq!(parse_duration("-PT1S"), Some(-1000));
        for bad in ["", "P", "1D", "PT", "PT1", "P1H"] {
            assert_eq!(parse_duration(bad), None, "{bad}");
        }
    }
}
