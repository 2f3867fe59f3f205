// Who is told when an alert rule fires, for those who bring no action group of their own.

@description('Name of the group.')
@minLength(1)
@maxLength(260)
param name string

@description('Tags.')
param tags object

@description('E-mail addresses to tell.')
@minLength(1)
param emails string[]

resource group 'Microsoft.Insights/actionGroups@2023-01-01' = {
  name: name
  location: 'global'
  tags: tags
  properties: {
    enabled: true
    groupShortName: 'acrtransfer'
    emailReceivers: [
      for email in emails: {
        name: email
        emailAddress: email
        useCommonAlertSchema: true
      }
    ]
  }
}

@description('Resource id.')
output id string = group.id
